"""The one style sheet of all views: scoped by a class, no script, no address, light and dark.

In Jupyter the colours are the theme's own variables, in VS Code the editor's; elsewhere they follow the system's scheme.
Accents are mixed with the colour of the text, so that they read on both. A doubled class outweighs the notebooks' own
rules for tables and code.
"""

from __future__ import annotations

from typing import Final

from llmtee.views._html import Content, Html, element

_RULES: Final = r"""
&{--fg:#1f2328;--bg:#fff;--line:#d8dde3;--tool:#9a5b00;--model:#2563c9;--user:#0b7a4b;--bad:#c4314b;--odd:#6b4fc0;
color:var(--jp-content-font-color1,var(--vscode-editor-foreground,var(--fg)));
background:var(--jp-layout-color0,var(--vscode-editor-background,var(--bg)));
border:1px solid var(--jp-border-color2,var(--vscode-panel-border,var(--line)));border-radius:8px;padding:10px 14px;
margin:2px 0;max-width:1080px;box-sizing:border-box;overflow-x:auto;text-align:left;
font-family:var(--jp-content-font-family,system-ui,-apple-system,"Segoe UI",sans-serif);font-size:13.5px;line-height:1.5}
@media (prefers-color-scheme:dark){&{--fg:#e4e7eb;--bg:#16191f;--line:#343a44}}
& *{box-sizing:border-box}
& .lt-head{display:flex;flex-wrap:wrap;align-items:baseline;gap:2px 14px;margin-bottom:6px}
& .lt-head b{font-size:1.08em;overflow-wrap:anywhere}
& .lt-kind{text-transform:uppercase;letter-spacing:.06em;font-size:.76em;font-weight:600;opacity:.72}
& .lt-facts{display:flex;flex-wrap:wrap;gap:1px 14px;font-size:.92em;margin-bottom:6px}
& .lt-facts span{overflow-wrap:anywhere;unicode-bidi:isolate}
& .lt-dim{opacity:.72;font-weight:400}
& .lt-bad{color:color-mix(in srgb,var(--bad) 80%,currentColor)}
& .lt-warn{color:color-mix(in srgb,var(--tool) 80%,currentColor)}
& .lt-good{color:color-mix(in srgb,var(--user) 80%,currentColor)}
& .lt-message{border-left:3px solid color-mix(in srgb,var(--accent,#888) 75%,currentColor);padding:1px 0 1px 11px;
margin:9px 0}
& .lt-user{--accent:var(--user)}& .lt-assistant{--accent:var(--model)}& .lt-tool{--accent:var(--tool)}
& .lt-system,& .lt-developer{--accent:#8a8f98}& .lt-other{--accent:var(--odd)}
& .lt-role{font-weight:600;color:color-mix(in srgb,var(--accent,#888) 72%,currentColor);margin-right:10px}
& p{margin:1px 0 5px}
& .lt-who{margin:0}& .lt-who>summary{list-style:none}& .lt-who>summary::-webkit-details-marker{display:none}
& .lt-who>summary::after{content:"\2009⋯";opacity:.5;margin-left:8px}
& .lt-text{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:plaintext;overflow:hidden;margin:2px 0}
& .lt-text+.lt-text{margin-top:8px}
& pre.lt-json,& code{font-family:var(--jp-code-font-family,ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace);
font-size:.9em;color:inherit;background:none;border:0;padding:0}
& pre.lt-json{white-space:pre-wrap;overflow-wrap:anywhere;overflow:hidden;margin:3px 0 5px;padding:5px 9px;
border-radius:5px;background:color-mix(in srgb,currentColor 6%,transparent);line-height:1.42}
& details{margin:2px 0}
& summary{cursor:pointer;padding:1px 0;overflow-wrap:anywhere;unicode-bidi:isolate;display:list-item}
& details>:not(summary){margin-left:14px}
& .lt-hidden{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.82em;padding:0 3px;margin:0 1px;
border-radius:3px;color:color-mix(in srgb,var(--bad) 75%,currentColor);
background:color-mix(in srgb,var(--bad) 14%,transparent);white-space:nowrap;unicode-bidi:isolate}
& table{color:inherit;font-size:.93em;border-collapse:collapse;margin:3px 0 8px;table-layout:auto;width:auto;border:0}
& tbody tr,& thead tr,& tbody tr:nth-child(odd),& tbody tr:hover{background:none}
& table th,& table td{text-align:left;vertical-align:top;padding:2px 14px 2px 0;border:0;
border-bottom:1px solid color-mix(in srgb,currentColor 14%,transparent);background:none;white-space:normal;
overflow-wrap:anywhere;unicode-bidi:isolate;line-height:1.45;max-width:34em}
& table th{font-weight:600;opacity:.72;overflow-wrap:normal}
& table .lt-number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
& table .lt-field{min-width:11em}
& img{max-width:100%;max-height:320px;border-radius:4px;margin:3px 0;background:none}
& .lt-plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));gap:10px 26px}
& .lt-plots img{max-height:none;width:100%}
& h4{margin:8px 0 2px;font-size:1em;font-weight:600;color:inherit}
& .lt-columns{display:grid;grid-auto-flow:column;grid-auto-columns:minmax(236px,1fr);gap:0 12px;overflow-x:auto}
& .lt-columns pre.lt-json{font-size:.78em;max-height:560px;overflow:auto;padding:5px 4px}
& .lt-columns>div>details>:not(summary){margin-left:0}
& .lt-kept{color:color-mix(in srgb,var(--user) 75%,currentColor)}
& .lt-parked{color:color-mix(in srgb,var(--model) 75%,currentColor)}
& .lt-changed,& .lt-trimmed{color:color-mix(in srgb,var(--tool) 80%,currentColor)}
& .lt-lost,& .lt-dropped{color:color-mix(in srgb,var(--bad) 80%,currentColor)}
& td.lt-mark{white-space:nowrap}
& pre .lt-line{display:block;border-left:3px solid transparent;padding-left:22px;text-indent:-17px}
& pre .lt-line.lt-kept{color:inherit;border-left-color:color-mix(in srgb,var(--user) 65%,transparent)}
& pre .lt-line.lt-parked{color:inherit;border-left:3px dotted color-mix(in srgb,var(--model) 85%,currentColor);
background:color-mix(in srgb,var(--model) 11%,transparent)}
& progress{width:260px;height:9px;vertical-align:middle;margin-right:12px;accent-color:var(--model)}
& svg{display:block;width:100%;height:auto;margin:4px 0}
& svg text{fill:currentColor;font-size:11.5px}
& svg .lt-dim{opacity:.66}& svg .lt-inside{fill:#fff;font-size:10.5px}
& svg .lt-grid{stroke:currentColor;stroke-width:1;opacity:.16}
& svg .lt-gap{fill:currentColor;opacity:.07}
& svg .lt-bar-model{fill:#3b76d6}& svg .lt-bar-agent{fill:#7a60cc}& svg .lt-bar-tool{fill:#ad6a08}
& svg .lt-bar-person{fill:#12875a}& svg .lt-bar-bad{fill:#c93f57}
"""

STYLE: Final = Html(f"<style>{_RULES.strip().replace('&', '.llmtee.llmtee')}</style>")


def page(*content: Content) -> str:
    """What a notebook shows: one card, with its style."""
    return element("div", STYLE, *content, class_="llmtee")
