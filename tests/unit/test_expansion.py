"""Variables, matrix, includes and templates: what they become, and where their mistakes are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.errors import ScenarioError
from harness.scenario import Click, Mark, Scenario, Type, Wait, load_scenario, load_scenarios
from harness.scenario.includes import MAX_INCLUDES
from harness.scenario.matrix import MAX_CASES
from harness.scenario.variables import MAX_TEXT

HEAD = "open: https://example.com/\n"


def load(folder: Path, text: str, **overrides: str) -> tuple[Scenario, ...]:
    path = folder / "some.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return load_scenarios(path, overrides)


def one(folder: Path, text: str, **overrides: str) -> Scenario:
    (scenario,) = load(folder, text, **overrides)
    return scenario


def problems(folder: Path, text: str, **overrides: str) -> list[str]:
    """Each line without the folder; line 2 is the first of `text`."""
    with pytest.raises(ScenarioError) as caught:
        load(folder, text, **overrides)
    return [line.removeprefix(f"{folder}/") for line in caught.value.message.splitlines()]


def part(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# --- variables ---


def test_variables_stand_anywhere_and_in_each_other(tmp_path: Path) -> None:
    scenario = one(
        tmp_path,
        "variables: {who: Ada, tile: \"role=button[name='${who}']\", pause: 250ms, rate: 30}\n"
        "scenario: For ${who}\n"
        "fps: ${rate}\n"
        "steps:\n"
        "  - click: ${tile}\n"
        "  - wait: ${ pause }\n"
        '  - mark: "${who} and ${who}"\n'
        '  - type: "$${who} costs $5"\n',
    )
    assert (scenario.title, scenario.fps) == ("For Ada", 30)
    click, wait, mark, typed = scenario.phases[0].steps
    assert isinstance(click, Click) and click.selector == "role=button[name='Ada']"
    assert isinstance(wait, Wait) and wait.seconds == 0.25
    assert isinstance(mark, Mark) and mark.name == "Ada and Ada"
    assert isinstance(typed, Type) and typed.text == "${who} costs $5"
    assert dict(scenario.variables)["tile"] == "role=button[name='Ada']"
    assert scenario.case == ()


def test_an_escape_stays_one_through_other_variables(tmp_path: Path) -> None:
    scenario = one(
        tmp_path,
        'variables: {raw: "$${who}", through: "<${raw}>"}\n'
        "templates: [{phase: T, steps: [{mark: '${word}'}]}]\n"
        "phases:\n"
        "  - {use: T, with: {word: '${through}'}}\n",
    )
    assert scenario.phases[0].steps[0].subject == "mark '<${who}>'"


def test_overrides_replace_variables_and_what_hangs_on_them(tmp_path: Path) -> None:
    text = 'variables: {who: Ada, greeting: "Hi ${who}"}\nsteps: [{mark: "${greeting}"}]\n'
    scenario = one(tmp_path, text, who="Kofi", nobody="x")
    assert scenario.phases[0].steps[0].subject == "mark 'Hi Kofi'"
    assert dict(scenario.variables) == {"who": "Kofi", "greeting": "Hi Kofi"}


def test_a_wrong_value_is_shown_where_it_stands(tmp_path: Path) -> None:
    text = "variables: {pause: 5}\nsteps:\n  - wait: ${pause}\n"
    assert problems(tmp_path, text) == ["some.yaml:2:20: wait: '5' has no unit; did you mean '5s'?"]
    # One from the command line stands nowhere in the file: then where it is used.
    assert problems(tmp_path, text, pause="6") == [
        "some.yaml:4:11: wait: '6' has no unit; did you mean '6s'?"
    ]


def test_unknown_variables_are_said_once_each(tmp_path: Path) -> None:
    text = "variables: {profile: Ada}\nfps: ${rate}\nsteps:\n  - click: ${profil}\n  - wait: 1\n"
    assert problems(tmp_path, text) == [
        "some.yaml:3:6: unknown variable 'rate'; known: profile",
        "some.yaml:5:12: unknown variable 'profil'; did you mean 'profile'?",
        "some.yaml:6:11: wait: '1' has no unit; did you mean '1s'?",
    ]


def test_cycles_end(tmp_path: Path) -> None:
    text = 'variables: {a: "x${b}", b: "${c}", c: "${a}"}\nsteps: [{mark: "${a}"}]\n'
    assert problems(tmp_path, text) == ["some.yaml:2:16: the variable 'a' is made of itself"]


def test_a_long_chain_ends(tmp_path: Path) -> None:
    chain = ", ".join(f'v{n}: "${{v{n + 1}}}"' for n in range(2000)) + ", v2000: end"
    found = problems(tmp_path, f"variables: {{{chain}}}\nsteps: [{{mark: '${{v0}}'}}]\n")
    assert found and all("variables name variables more than 24 deep" in line for line in found)


@pytest.mark.parametrize(
    "text",
    [
        # Each variable is ten of the one before.
        "variables:\n  v0: aaaaaaaaaa\n"
        + "".join(f"  v{n}: '{('${v' + str(n - 1) + '}') * 10}'\n" for n in range(1, 12))
        + "steps: [{mark: '${v11}'}]\n",
        # One long text, very often in one value.
        f"variables: {{v: {'x' * 16000}}}\nsteps: [{{mark: '{'${v}' * 200_000}'}}]\n",
        # One long text in very many values.
        f"variables: {{v: {'x' * 16000}}}\nsteps:\n" + "  - type: ${v}\n" * 6000,
        # A long template, placed very often.
        "templates:\n  - phase: T\n    steps:\n"
        + "      - wait: 1ms\n" * 3000
        + "phases:\n"
        + "".join(f"  - {{use: T, phase: P{n}}}\n" for n in range(2000)),
        # A long scenario with very many cases.
        f"matrix: {{n: [{', '.join(map(str, range(MAX_CASES)))}]}}\nsteps:\n"
        + "  - mark: '${n}'\n" * 3000,
        # Far too many cases to count them one by one.
        "matrix:\n"
        + "".join(f"  p{n}: [{', '.join(map(str, range(300)))}]\n" for n in range(30))
        + "steps: [{mark: '"
        + "".join(f"${{p{n}}}" for n in range(30))
        + "'}]\n",
        # Very many listed cases, and names to compare with.
        "matrix: ["
        + ", ".join(f"{{a: {n}}}" for n in range(6000))
        + "]\nsteps: [{mark: '${a}'}]\n",
        "variables: {"
        + ", ".join(f"name{n}: x" for n in range(5000))
        + "}\nsteps:\n"
        + "  - mark: ${nome}\n" * 3000,
    ],
    ids=["powers", "value", "values", "templates", "cases", "product", "listed", "names"],
)
def test_growth_is_bounded_and_ends_soon(tmp_path: Path, text: str) -> None:
    began = time.process_time()
    found = problems(tmp_path, text)
    assert time.process_time() - began < 10
    assert max(len(line) for line in found) < 2000


def test_a_text_has_a_largest_length(tmp_path: Path) -> None:
    text = f"variables: {{v: {'x' * 1000}}}\nsteps: [{{mark: '{'${v}' * 17}'}}]\n"
    assert problems(tmp_path, text) == [
        f"some.yaml:3:16: longer than {MAX_TEXT} characters with its variables"
    ]


# --- matrix ---


def test_a_product_in_its_order(tmp_path: Path) -> None:
    text = "matrix: {fps: [24, 30], who: [Ada, Kofi W]}\nfps: ${fps}\nsteps: [{mark: '${who}'}]\n"
    scenarios = load(tmp_path, text)
    assert [scenario.id for scenario in scenarios] == [
        "some[24-Ada]",
        "some[24-Kofi_W]",
        "some[30-Ada]",
        "some[30-Kofi_W]",
    ]
    assert scenarios[1].case == (("fps", "24"), ("who", "Kofi W"))
    assert scenarios[1].full_title == "some [fps=24, who=Kofi W]"
    assert scenarios[1].folder_name == "some-24-Kofi_W"
    assert [scenario.fps for scenario in scenarios] == [24, 24, 30, 30]
    with pytest.raises(ScenarioError, match=r"some.yaml: its matrix makes 4 scenarios"):
        load_scenario(tmp_path / "some.yaml")


def test_listed_cases(tmp_path: Path) -> None:
    text = (
        "matrix:\n  - {size: 640x360, ratio: 1}\n  - {ratio: 2, size: 1280x720}\n"
        "viewport: ${size}\ndevice_pixel_ratio: ${ratio}\nwait: 1s\n"
    )
    scenarios = load(tmp_path, text)
    assert [(str(s.viewport), s.device_pixel_ratio) for s in scenarios] == [
        ("640x360", 1.0),
        ("1280x720", 2.0),
    ]


def test_overrides_choose_one_value(tmp_path: Path) -> None:
    text = "matrix: {fps: [24, 30], who: [Ada, Kofi]}\nfps: ${fps}\nsteps: [{mark: '${who}'}]\n"
    chosen = load(tmp_path, text, fps="60")
    assert [s.case for s in chosen] == [
        (("fps", "60"), ("who", "Ada")),
        (("fps", "60"), ("who", "Kofi")),
    ]
    assert len(load(tmp_path, text, fps="60", who="Mira")) == 1


def test_a_parameter_that_is_also_a_variable(tmp_path: Path) -> None:
    text = (
        "variables: {who: Ada, tile: 'text=${who}'}\nmatrix: {who: [Kofi, '${other}']}\n"
        "steps: [{click: '${tile}'}]\n"
    )
    assert problems(tmp_path, text) == [
        "some.yaml:3:22: unknown variable 'other'; known: who, tile"
    ]
    scenarios = load(tmp_path, text.replace("${other}", "Mira"))
    assert [s.phases[0].steps[0].subject for s in scenarios] == [
        "click 'text=Kofi'",
        "click 'text=Mira'",
    ]


def test_values_that_come_out_alike_are_one_case(tmp_path: Path) -> None:
    text = "variables: {v: Ada}\nmatrix: {who: ['${v}', Ada]}\nsteps: [{mark: '${who}'}]\n"
    assert [s.case for s in load(tmp_path, text)] == [(("who", "Ada"),)]


def test_a_parameter_must_be_used(tmp_path: Path) -> None:
    text = "matrix: {fps: [24, 30], who: [Ada, Kofi]}\nfps: ${fps}\nwait: 1s\n"
    assert problems(tmp_path, text) == [
        "some.yaml:2:25: the matrix's 'who' is used nowhere; write ${who} where its value goes"
    ]
    # A misspelt use is said as that, not twice.
    text = "matrix: {profile: [Ada, Kofi]}\nsteps: [{mark: '${profil}'}]\n"
    assert problems(tmp_path, text) == [
        "some.yaml:3:16: unknown variable 'profil'; did you mean 'profile'?"
    ]


def test_only_the_wrong_case_is_wrong(tmp_path: Path) -> None:
    text = "matrix: {fps: [24, 240]}\nfps: ${fps}\nwait: 1s\n"
    assert problems(tmp_path, text) == ["some.yaml:2:20: fps: '240' is not from 1 to 60"]


def test_one_place_is_one_line_in_all_cases(tmp_path: Path) -> None:
    text = (
        "matrix: {who: [Ada, Kofi, Mira]}\nphases:\n"
        "  - {phase: 'For ${who}', duration: 1s, steps: [{wait: 2s}]}\n"
    )
    assert problems(tmp_path, text) == [
        "some.yaml:4:37: phase 'For Ada' lasts 1s, but its steps wait for 2s"
    ]


def test_very_many_problems_are_counted(tmp_path: Path) -> None:
    found = problems(tmp_path, "steps:\n" + "  - wiat: 1s\n" * 150)
    assert len(found) == 101
    assert found[-1] == "some.yaml: and 50 more"


def test_names_of_cases_are_fit_for_folders(tmp_path: Path) -> None:
    text = f"matrix: {{who: [Ada, {'x' * 200}]}}\nsteps: [{{mark: '${{who}}'}}]\n"
    (line,) = problems(tmp_path, text)
    assert line.startswith("some.yaml:2:9: the case who=xxx")
    assert "more than 150 bytes; give the parameter short values" in line


# --- includes ---


def test_included_variables_and_templates(tmp_path: Path) -> None:
    part(tmp_path, "parts/more.yaml", "variables: {pause: 1s, who: Mira}\n")
    login = part(
        tmp_path,
        "parts/login.yaml",
        "include: more.yaml\n"
        "variables: {who: Ada}\n"
        "templates:\n"
        "  - phase: Log in\n"
        "    steps:\n"
        "      - click: text=${who}\n"
        "      - wait: ${pause}\n",
    )
    text = "include: parts/login.yaml\nphases:\n  - use: Log in\n"
    scenario = one(tmp_path, text)
    click, wait = scenario.phases[0].steps
    assert (click.subject, wait.subject) == ("click 'text=Ada'", "wait 1s")
    assert (click.file, click.line) == (str(login), 6)
    assert scenario.phases[0].line == 4
    assert dict(scenario.variables) == {"pause": "1s", "who": "Ada"}
    own = one(tmp_path, "variables: {who: Kofi}\n" + text)
    assert own.phases[0].steps[0].subject == "click 'text=Kofi'"
    assert own.phases[0].steps[0].file == str(login)


def test_one_file_by_two_ways_is_read_once(tmp_path: Path) -> None:
    part(tmp_path, "c.yaml", "templates: [{phase: T, steps: [{wait: '${pause}'}]}]\n")
    part(tmp_path, "a.yaml", "include: c.yaml\n")
    part(tmp_path, "b.yaml", "include: ./c.yaml\nvariables: {pause: 2s}\n")
    scenario = one(tmp_path, "include: [a.yaml, b.yaml]\nphases: [{use: T}]\n")
    assert scenario.phases[0].steps[0].subject == "wait 2s"


def test_mistakes_in_an_included_file_name_it(tmp_path: Path) -> None:
    part(
        tmp_path,
        "parts/a.yaml",
        "variables: {pause: 2}\ntemplates:\n  - phase: T\n    steps:\n      - clik: a\n"
        "      - wait: ${pause}\n      - if: x\n        then:\n          - press: Entr\n",
    )
    assert problems(
        tmp_path, "include: parts/a.yaml\nphases: [{use: T}, {use: T, phase: U}]\n"
    ) == [
        "parts/a.yaml:1:20: wait: '2' has no unit; did you mean '2s'?",
        "parts/a.yaml:5:9: unknown step 'clik'; did you mean 'click'?",
        "parts/a.yaml:9:20: press: unknown key 'Entr'; did you mean 'Enter'?",
    ]


def test_cycles_and_missing_files(tmp_path: Path) -> None:
    part(tmp_path, "a.yaml", "include: b.yaml\n")
    part(tmp_path, "b.yaml", "include: [a.yaml, gone.yaml]\n")
    assert problems(tmp_path, "include: a.yaml\nphases: [{use: T, with: {w: '${x}'}}]\n") == [
        "b.yaml:1:11: include: 'a.yaml' includes itself",
        "b.yaml:1:19: include: there is no file 'gone.yaml'; did you mean 'some.yaml'?",
    ]
    (line,) = problems(tmp_path, "include: some.yaml\nwait: 1s\n")
    assert line == "some.yaml:2:10: include: 'some.yaml' includes itself"


def test_what_is_no_included_file(tmp_path: Path) -> None:
    part(tmp_path, "list.yaml", "- a\n")
    part(tmp_path, "latin.yaml", "").write_bytes(b"variables: {a: \xff}\n")
    part(tmp_path, "large.yaml", "#" * (1 << 20) + "\n")
    (tmp_path / "round.yaml").symlink_to("round.yaml")
    (tmp_path / "folder.yaml").mkdir()
    found = problems(
        tmp_path,
        "include: [list.yaml, latin.yaml, large.yaml, folder.yaml, round.yaml, "
        f"'', {'n' * 300}.yaml]\nwait: 1s\n",
    )
    shown = [line.split(": ", 1)[1] for line in found]
    assert "an included file has the keys variables, include, templates" in shown
    assert "include: 'latin.yaml' is not UTF-8" in shown
    assert "larger than 1 MiB" in shown
    assert "include: 'folder.yaml' is no file" in shown
    assert "include: '' must be a file beside this one" in shown
    assert sum("File name too long" in line for line in shown) == 1
    assert len(shown) == 7


def test_too_many_includes(tmp_path: Path) -> None:
    for number in range(MAX_INCLUDES + 1):
        part(tmp_path, f"p{number}.yaml", f"include: p{number + 1}.yaml\n")
    assert problems(tmp_path, "include: p0.yaml\nwait: 1s\n") == [
        f"p{MAX_INCLUDES - 1}.yaml:1:10: include: more than {MAX_INCLUDES} files"
    ]


# --- templates ---

TEMPLATES = """\
templates:
  - phase: Look
    duration: 4s
    steps:
      - click: text=${what}
      - wait: ${pause}
    expect: {dropped: 0}
"""


def test_a_template_in_several_places(tmp_path: Path) -> None:
    scenario = one(
        tmp_path,
        "variables: {pause: 1s}\n" + TEMPLATES + "phases:\n"
        "  - use: Look\n"
        "    with: {what: Play}\n"
        "  - phase: Look again\n"
        "    use: Look\n"
        "    with: {what: '${pause}', pause: 2s}\n"
        "    duration: 9s\n"
        "    expect: {ticks: 216}\n",
    )
    first, again = scenario.phases
    assert (first.name, first.duration, first.line) == ("Look", 4.0, 11)
    assert [step.subject for step in first.steps] == ["click 'text=Play'", "wait 1s"]
    assert first.steps[0].line == 7
    assert (again.name, again.duration, again.line) == ("Look again", 9.0, 13)
    assert [step.subject for step in again.steps] == ["click 'text=1s'", "wait 2s"]
    assert [name for name, _ in again.expect.limits()] == ["ticks"]


def test_with_reaches_through_variables(tmp_path: Path) -> None:
    scenario = one(
        tmp_path,
        "variables: {who: Ada, tile: 'text=${who}'}\n"
        "templates: [{phase: T, steps: [{click: '${tile}'}]}]\n"
        "phases: [{use: T}, {use: T, phase: U, with: {who: Kofi}}]\n",
    )
    assert [phase.steps[0].subject for phase in scenario.phases] == [
        "click 'text=Ada'",
        "click 'text=Kofi'",
    ]


def test_the_matrix_chooses_the_template(tmp_path: Path) -> None:
    scenarios = load(
        tmp_path,
        "matrix: {way: [Mouse, Keys]}\n"
        "templates:\n"
        "  - {phase: Mouse, steps: [{click: a}]}\n"
        "  - {phase: Keys, steps: [{press: Enter}]}\n"
        "phases: [{use: '${way}', phase: Choose}]\n",
    )
    assert [s.phases[0].steps[0].kind for s in scenarios] == ["click", "press"]
    assert {s.phases[0].name for s in scenarios} == {"Choose"}


def test_what_a_template_needs(tmp_path: Path) -> None:
    text = TEMPLATES + "phases:\n  - use: Look\n    with: {what: Play}\n"
    assert problems(tmp_path, text) == [
        "some.yaml:10:10: this template needs 'pause'; give it under 'with', as '{pause: ...}'"
    ]
    text = TEMPLATES + "phases:\n  - use: Look\n    with: {what: Play, paus: 1s}\n"
    assert problems(tmp_path, text) == [
        "some.yaml:11:24: the template does not use 'paus'; did you mean 'pause'?"
    ]


@pytest.mark.parametrize(
    ("phases", "line"),
    [
        ("phases: [{use: ''}]", "some.yaml:4:16: no template is named ''; known: T"),
        ("phases: [{use: [T]}]", "some.yaml:4:16: use: write it as a template's name"),
        ("phases: [{use: }]", "some.yaml:4:11: 'use' has no value"),
        ("phases: [{use: '${x}'}]", "some.yaml:4:16: unknown variable 'x'; known: who"),
        ("phases: {use: T}", "some.yaml:4:9: phases: a mapping is not a list; write each phase "
         "as '- phase: NAME'"),
        ("phases:", "some.yaml:4:1: 'phases' has no value"),
        ("include: gone.yaml\nphases: [{use: U}]",
         "some.yaml:4:10: include: there is no file 'gone.yaml'; did you mean 'some.yaml'?"),
    ],
)  # fmt: skip
def test_a_mistake_about_templates_is_one_line(tmp_path: Path, phases: str, line: str) -> None:
    text = "matrix: {who: [a, b]}\ntemplates: [{phase: T, steps: [{mark: '${who}'}]}]\n" + phases
    assert problems(tmp_path, text) == [line]


def test_a_misspelt_template_is_one_line(tmp_path: Path) -> None:
    text = (
        "matrix: {who: [a, b]}\n"
        + TEMPLATES
        + ("phases:\n  - use: Lok\n    with: {what: '${who}'}\n")
    )
    assert problems(tmp_path, text) == [
        "some.yaml:11:10: no template is named 'Lok'; did you mean 'Look'?"
    ]
