"""A value arrives as it is, whatever it holds and wherever its name stands; no shell reads it as a program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from millstream.errors import InvalidValue
from millstream.projects.commands import command_of, names_in

SHOW = """python -c 'import json, sys; print(json.dumps(sys.argv[1:]))'"""
NASTY = ["", " ", "a b", "it's", '"quoted"', "$(touch owned)", "`touch owned`", "; touch owned", "&& touch owned",
         "${HOME}", "{x}", "\\", "*", "~", "line\nbreak", "--option", "-c", "#", "!", "é ∑", "' ; touch owned ; '",
         '" ; touch owned ; "', "a[$(touch owned)]"]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30) | st.sampled_from(NASTY)


def arguments(template: str, values: dict[str, str], extra: dict[str, str] | None = None) -> list[str]:
    command = command_of(template, values, extra)
    argv = [sys.executable if part == "python" else part for part in command.argv]
    done = subprocess.run(argv, capture_output=True, check=True, text=True, env={"LC_ALL": "C.UTF-8", "PATH": "/bin"})
    found: list[str] = json.loads(done.stdout)
    return found


@given(TEXTS, TEXTS)
@examples(max_examples=25)
def test_values_arrive_as_they_are(first: str, second: str) -> None:
    values = {"x": first, "y": second}
    assert arguments(SHOW + """ {x} '{x}' "{y}" --a={x} "b {x}c" """, values, {"k": second}) == [
        first, first, second, f"--a={first}", f"b {first}c", "--k", second,
    ]


@pytest.mark.parametrize("value", NASTY)
def test_a_simple_command_needs_no_shell(value: str) -> None:
    command = command_of("""python train.py --alpha {alpha} '{alpha}' "x{alpha}y" a\\ b {alpha}""", {"alpha": value})
    assert command.argv == ("python", "train.py", "--alpha", value, value, f"x{value}y", "a b", value)


# Each prints its arguments, one a line behind a mark, through something that only a shell does.
SHELL_TEMPLATES = [
    "printf '<%s>' {x} | cat",
    "printf '<%s>' '{x}' | cat",
    'printf "<%s>" "{x}" | cat',
    'A=1; printf "<%s>" "${{A}}{x}" | sed s/1//',
    "true && printf '<%s>' \"$(printf '%s' {x}; printf '%s' \"\")\"",
    "printf '<%s>' \"$(printf '%s' '{x}')\"",
    "printf '<%s>' \"`printf '%s' {x}`\"",
    "f() {{ printf '<%s>' {x}; }}; f other",
    "A={x}; printf '<%s>' \"$A\"",
    "A='{x}' bash -c 'printf \"<%s>\" \"$A\"' | cat",
    "bash -c 'printf \"<%s>\" {x}'",
    "sh -ec 'printf \"<%s>\" \"{x}\"'",
    "printf '<%s>' {x} > out.txt; cat out.txt",
    "printf '<%s>' \\\n  {x} | cat",
    "case {x} in *) printf '<%s>' {x};; esac",
    "for one in {x}; do printf '<%s>' \"$one\"; done",
]


@pytest.mark.parametrize("value", [value for value in NASTY if not value.endswith("\n")])
def test_a_shell_gets_values_as_arguments(value: str, tmp_path: Path) -> None:
    for template in SHELL_TEMPLATES:
        command = command_of(template, {"x": value})
        done = subprocess.run(command.argv, capture_output=True, check=True, cwd=tmp_path, env={"PATH": "/bin"})
        assert done.stdout.decode() == f"<{value}>", template
        assert not (tmp_path / "owned").exists(), template


@given(st.text(st.sampled_from(list("ab {}'\"`$()|;&\\\n#=x")), max_size=25), st.sampled_from(NASTY))
@examples(max_examples=300)
def test_no_template_makes_a_value_a_program(template: str, value: str) -> None:
    """Whatever the template is, the value is an argument of its own or part of one, never of a shell's program."""
    try:
        command = command_of(template + "{x}" + template, {"x": "MARK" + value})
    except InvalidValue:
        return
    if command.argv[:2] == ("bash", "-c"):
        assert "MARK" not in command.argv[2]
        assert command.argv[4:] in ((), ("MARK" + value,))  # none where the braces around the name were doubled


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("echo $(( {x} + 1 ))", "evaluate"),
        ("if [[ {x} -eq 1 ]]; then echo a; fi", "evaluate"),
        ("eval {x}", "evaluate"),
        ("true; let a={x}", "evaluate"),
        ("cat <<END\n{x}\nEND", "evaluate"),
        ('bash -c "echo {x}" name', "a shell in it"),
        ("true && bash -c 'echo {x}'", "a shell in it"),
        ("env A=1 sh -c 'echo {x}'", "a shell in it"),
        ("echo ${{A:-{x}}}", "within"),
        ("echo ${x}", "could be the parameter or a variable"),
        ("echo 'a {x}", "does not end"),
        ("echo {x} | cat \"a", "does not end"),
        ("echo {y}", "names {y}, which is no parameter; there are x"),
        ("  ", "empty"),
    ],
)
def test_templates_that_would_run_a_value_are_refused(template: str, said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        command_of(template, {"x": "1"})
    assert said in caught.value.message
    assert caught.value.hint


def test_a_program_that_has_the_name_of_something_evaluated_is_none() -> None:
    assert command_of("python eval.py {x}", {"x": "1"}).argv == ("python", "eval.py", "1")
    assert command_of("python main.py eval {x} | cat", {"x": "1"}).argv[-1] == "1"


def test_braces() -> None:
    assert command_of("echo '{{x}}' '{print $1}' {x}", {"x": "1"}).argv == ("echo", "{x}", "{print $1}", "1")
    assert command_of("find . -name {x} -exec ls {} ';'", {"x": "a"}).argv[0] == "bash"
    assert command_of("echo {a.b}", {"a.b": "1"}).argv == ("echo", "1")
    assert names_in("a {x} '{y-z}' {{n}} ${{HOME}} {step.out} {1..3}") == ["x", "y-z", "step.out"]


def test_a_value_with_nul_is_refused() -> None:
    with pytest.raises(InvalidValue, match="NUL"):
        command_of("echo {x}", {"x": "a\0b"})
