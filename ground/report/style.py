"""The report's style sheet: light and dark after the reader's own setting; prints too."""

# ruff: noqa: E501  # a rule a line reads better than a declaration a line

STYLE = """
:root { color-scheme: light dark;
  --paper:#f5f6f8; --card:#ffffff; --ink:#17202b; --quiet:#66717f; --rule:#e2e6eb; --lane:#eef1f4;
  --good:#00795a; --good-paper:#e2f5ee; --bad:#b03a00; --bad-paper:#fdebe1;
  --p0:#d55e00; --p1:#c98a00; --p2:#009e73; --p3:#0072b2;
  --l0:#0072b2; --l1:#d55e00; --l2:#009e73; --l3:#b5558c; --l4:#c98a00; --l5:#3a9bd4; --l6:#882255; --l7:#17202b; }
@media (prefers-color-scheme: dark) { :root {
  --paper:#0c1016; --card:#151b24; --ink:#e7ecf3; --quiet:#94a1b1; --rule:#29323e; --lane:#1c242f;
  --good:#3ddba8; --good-paper:#10302a; --bad:#ff9a5c; --bad-paper:#3a2114;
  --p0:#ff8a3d; --p1:#f0b83a; --p2:#2fcf9f; --p3:#4fb0f0;
  --l0:#5cb8f2; --l1:#ff8a3d; --l2:#2fcf9f; --l3:#e48cc0; --l4:#f0b83a; --l5:#8fd0f5; --l6:#d487a6; --l7:#e7ecf3; } }
* { box-sizing:border-box; }
body { margin:0; background:var(--paper); color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif; }
header { color:#eef2f7; padding:56px 24px 44px;
  background:radial-gradient(circle at 88% 470px, #55524d 0, #8a867f 250px, #c9c4ba 366px, #e9e5dc 372px, #2a3038 374px, #0b0e14 520px); }
header > div { max-width:1112px; margin:0 auto; } main { max-width:1160px; margin:0 auto; }
header h1 { margin:0; font-size:34px; letter-spacing:-.02em; }
header p { margin:6px 0 0; color:#c3ccd8; max-width:640px; }
main { padding:26px 24px 70px; }
h2 { font-size:20px; margin:44px 0 4px; letter-spacing:-.01em; }
h2 + p { margin:0 0 14px; color:var(--quiet); max-width:760px; }
.tiles { position:relative; display:grid; grid-template-columns:repeat(auto-fit,minmax(158px,1fr)); gap:12px; margin-top:-48px; }
.tile { background:var(--card); border:1px solid var(--rule); border-radius:12px; padding:14px 16px; }
.tile b { display:block; font-size:25px; font-weight:650; letter-spacing:-.02em; font-variant-numeric:tabular-nums; }
.tile span { color:var(--quiet); font-size:13px; }
.word { border-radius:12px; padding:14px 18px; margin:16px 0 0; font-weight:600; }
.word small { display:block; font-weight:400; font-size:14px; }
.good { background:var(--good-paper); color:var(--good); } .bad { background:var(--bad-paper); color:var(--bad); }
.box-card { background:var(--card); border:1px solid var(--rule); border-radius:12px; padding:16px; overflow-x:auto; }
.cards { display:grid; grid-template-columns:repeat(auto-fill,minmax(300px,1fr)); gap:16px; }
.cards.wide { grid-template-columns:repeat(auto-fill,minmax(430px,1fr)); }
.card { background:var(--card); border:1px solid var(--rule); border-radius:12px; padding:14px; overflow:hidden; }
.card h3 { margin:12px 0 2px; font-size:16px; display:flex; justify-content:space-between; gap:8px; }
.card h3 span { font-weight:400; font-size:13px; }
.card p { margin:2px 0; } .card ul { margin:8px 0; padding-left:18px; font-size:13.5px; color:var(--ink); }
.quiet { color:var(--quiet); } .small { font-size:12.5px; }
.verdict { display:inline-block; border-radius:99px; padding:1px 10px; font-size:13px; background:var(--lane); }
.v1,.v3 { background:var(--good-paper); color:var(--good); } .v2,.v4,.v5 { background:var(--bad-paper); color:var(--bad); }
.picture { display:block; width:100%; border-radius:8px; background:#0a0d13; }
.panels { display:grid; grid-template-columns:1fr 1fr; gap:10px; } .panels > :only-child { grid-column:1/3; }
.sharp { image-rendering:pixelated; }
.ring { stroke:#00e0a4; stroke-width:calc(3.4*var(--pixel)); } .halo { stroke:#04241b; stroke-width:calc(6*var(--pixel)); opacity:.75; }
.box { fill:none; stroke:#fff; stroke-width:calc(1.6*var(--pixel)); paint-order:stroke; }
.boxed { fill:#fff; font-size:calc(11*var(--pixel)); font-weight:700; stroke:#17202b; stroke-width:calc(2.4*var(--pixel)); paint-order:stroke; }
.absent { display:grid; place-items:center; height:150px; border-radius:8px; color:var(--quiet); font-size:13px;
  background:repeating-linear-gradient(135deg,var(--lane) 0 8px,transparent 8px 16px); }
.toggle { display:inline-flex; gap:8px; align-items:center; font-size:14px; margin:0 0 12px; cursor:pointer; }
body:has(#overlay:not(:checked)) .overlay { display:none; }
.legend { display:flex; flex-wrap:wrap; gap:4px 14px; font-size:13px; color:var(--quiet); margin:8px 0 0; }
.legend span { display:inline-flex; align-items:center; gap:6px; }
.key { width:11px; height:11px; border-radius:3px; display:inline-block; }
.chart { display:block; width:100%; } .chart.wide { min-width:720px; }
.grid { stroke:var(--rule); stroke-width:1; } .lane { fill:var(--lane); }
.tick,.name { fill:var(--quiet); font-size:10.5px; } .name { font-size:12.5px; text-anchor:end; dominant-baseline:middle; }
.middle { text-anchor:middle; } .end { text-anchor:end; }
.mark { fill:var(--ink); font-size:11px; font-weight:650; text-anchor:middle; } .mark.strong { fill:var(--p0); }
.line { fill:none; stroke-width:1.5; stroke-linejoin:round; }
.l0{stroke:var(--l0)}.l1{stroke:var(--l1)}.l2{stroke:var(--l2)}.l3{stroke:var(--l3)}.l4{stroke:var(--l4)}.l5{stroke:var(--l5)}.l6{stroke:var(--l6)}.l7{stroke:var(--l7)}
.k0{background:var(--l0)}.k1{background:var(--l1)}.k2{background:var(--l2)}.k3{background:var(--l3)}.k4{background:var(--l4)}.k5{background:var(--l5)}.k6{background:var(--l6)}.k7{background:var(--l7)}
.p0{fill:var(--p0);background:var(--p0)}.p1{fill:var(--p1);background:var(--p1)}.p2{fill:var(--p2);background:var(--p2)}.p3{fill:var(--p3);background:var(--p3)}
table { border-collapse:collapse; width:100%; font-size:13.5px; font-variant-numeric:tabular-nums; }
th { text-align:left; color:var(--quiet); font-weight:500; } th,td { padding:6px 12px 6px 0; border-bottom:1px solid var(--rule); vertical-align:top; }
tr:last-child td { border-bottom:0; } td.n,th.n { text-align:right; } td.t { white-space:nowrap; }
code { font:12px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; overflow-wrap:anywhere; }
.badge { display:inline-block; border-radius:99px; padding:0 9px; font-size:12.5px; background:var(--lane); }
.badge.warning,.badge.fatal { background:var(--bad-paper); color:var(--bad); }
details summary { cursor:pointer; color:var(--quiet); padding:4px 0; }
footer { color:var(--quiet); font-size:13px; margin-top:48px; }
@media print { header { color:#000; background:none; } header p { color:#444; } .tiles { margin-top:0; } .card,.tile { break-inside:avoid; } }
"""
