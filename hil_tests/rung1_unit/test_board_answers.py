"""What workers answer: the same as the pure functions that they run."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from flight.autonomy.downlink import plan_products
from flight.autonomy.plan import Plan, content_of
from flight.autonomy.tasks import TASKS, conclude
from flight.autonomy.terrain import TerrainPolicy
from flight.autonomy.xrf import XrfPolicy
from flight.board.card import read_card
from flight.board.clock import BoardClock
from flight.board.jobs import EncodeJob, InferJob, Material, ModelFile, WorkerSettings
from flight.board.sealedvalues import seal_frame
from flight.board.supervisor import Supervisor
from flight.chosen import packaged_model
from flight.product.codecs import CodecId, Options
from flight.product.journal import GENESIS, enter, stamp
from flight.product.part import CODEC_BYTES
from flight.product.values import Decision, NoAnswer, Verdict
from hil_tests.jobs import expected_outputs, is_right, packing, question, simulated, unpacked
from hil_tests.rung1_unit.test_board_worker import answer_of, supervised
from hil_tests.rung1_unit.test_product_records import make_step

QUESTION = question()
ANOTHER = replace(
    QUESTION, task="terrain", policy=TerrainPolicy(), frame=seal_frame(simulated("terrain"))
)
"""A picture, put to a model that knows spectra."""


def test_an_inference_answers_with_the_models_outputs_their_stamps_and_what_follows() -> None:
    with supervised() as supervisor:
        answer = answer_of(supervisor)
    assert answer.no_answer is None
    assert answer.inference is not None
    assert is_right(answer, QUESTION)
    outputs = answer.inference.outputs
    assert outputs.stamps == tuple(stamp(output) for output in expected_outputs())
    frame = QUESTION.frame.frame
    concluded = conclude(frame, expected_outputs(), 0, QUESTION.policy)
    assert answer.inference.findings == concluded


def test_where_no_model_is_to_be_asked_the_lines_speak_alone() -> None:
    alone = replace(QUESTION, model="", policy=XrfPolicy())
    with supervised() as supervisor:
        answer = answer_of(supervisor, alone)
    assert answer.inference is not None
    assert answer.inference.outputs.arrays == ()
    lines = conclude(alone.frame.frame, (), 0, XrfPolicy())
    assert answer.inference.findings == lines != ()


def test_encoded_parts_come_back_whole() -> None:
    cube = (np.arange(3 * 40 * 5) % 991).astype(np.uint16).reshape(3, 40, 5)
    with supervised() as supervisor:
        answer = answer_of(supervisor, packing(cube))
    decoded = unpacked(CodecId.RAW, answer)
    assert decoded.complete
    assert np.array_equal(decoded.samples, cube)


def test_a_worker_makes_every_product_of_a_step_as_the_pure_functions_do() -> None:
    frame, outputs = simulated("xrf"), expected_outputs()
    with supervised() as supervisor:
        answer = answer_of(supervisor)
        assert answer.inference is not None
        decision = Decision(0, Verdict.SURVEYED, True, True, ())
        entry = enter(GENESIS, make_step(frame=stamp(frame.samples)), decision)
        plans = plan_products(entry, frame, outputs, QUESTION.policy)
        material = Material(QUESTION.frame, answer.inference.outputs, "xrf", QUESTION.policy)
        made = [plan for plan in plans if plan.codec != CODEC_BYTES]
        assert len(made) >= 2
        for plan in made:
            content = content_of(plan, frame, outputs, QUESTION.policy)
            assert content.nbytes == plan.raw_bytes
            decoded = unpacked(plan.codec, answer_of(supervisor, EncodeJob(plan, material)))
            assert np.array_equal(decoded.samples, content)


def test_a_plan_that_says_nothing_allows_no_error_as_the_codecs_do_by_themselves() -> None:
    assert Plan(0, 0, CodecId.RAW, 1).maximum_error == Options().maximum_error == 0


@pytest.mark.parametrize("task", ["terrain", "sample", "mineral", "xrf"])
def test_every_packaged_model_flies_on_reference_kernels_too(task: str):
    folder = packaged_model(task)
    card = read_card(folder)
    settings = WorkerSettings(reference_kernels=True, hot_spare=False)
    file = ModelFile(card.name, folder, card.digest)
    policy = card.policy_as(TASKS[task].policy)
    job = InferJob(card.name, task, policy, seal_frame(simulated(task)))
    with closing(Supervisor(settings, (file,), BoardClock().now())) as supervisor:
        answer = answer_of(supervisor, job)
    assert answer.inference is not None, answer.detail
    outputs = answer.inference.outputs.arrays
    assert answer.inference.findings == conclude(job.frame.frame, outputs, 0, policy)


def test_an_input_of_another_shape_is_no_answer() -> None:
    with supervised() as supervisor:
        answer = answer_of(supervisor, ANOTHER)
        assert answer.no_answer is NoAnswer.BAD_FRAME
        assert answer_of(supervisor).inference
