"""Options that the commands and the pytest plugin share."""

from __future__ import annotations

import argparse
import dataclasses
from types import SimpleNamespace
from typing import cast

import pytest

from harness import options
from harness.cli import parser
from harness.options import Option
from harness.pytest_plugin import pytest_addoption
from harness.run import RunOptions

SHARED = [value for value in vars(options).values() if isinstance(value, Option)]
# What pytest calls them, where it does not by their own flag.
OTHER_FLAGS = {
    "--browser": "--browser-path",
    "--set": "--scenario-set",
    "--storage": "--baseline-storage",
    "--tolerance": "--baseline-tolerance",
}


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = [
        action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    return dict(found.choices)


def own(flag: str) -> list[argparse.Action]:
    return [
        action
        for command in commands().values()
        for action in command._actions
        if flag in action.option_strings
    ]


class Groups:
    """Takes the plugin's options as pytest's parser does: pytest hands them to argparse."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(add_help=False)

    def getgroup(self, *_names: str) -> SimpleNamespace:
        return SimpleNamespace(addoption=self.parser.add_argument)

    def option(self, flag: str) -> argparse.Action:
        return next(action for action in self.parser._actions if flag in action.option_strings)


@pytest.mark.parametrize("option", SHARED, ids=lambda option: option.flag)
def test_a_command_and_pytest_have_each_alike(option: Option) -> None:
    (first, *others) = own(option.flag)
    groups = Groups()
    pytest_addoption(cast(pytest.Parser, groups))
    theirs = groups.option(OTHER_FLAGS.get(option.flag, option.flag))
    assert first.help == option.help
    for other in [*others, theirs]:
        for name in ("choices", "default", "metavar", "nargs"):
            assert getattr(other, name) == getattr(first, name), name
        assert type(other).__name__ == type(first).__name__


def test_no_command_has_a_shared_option_in_words_of_its_own() -> None:
    helps = {option.flag: option.help for option in SHARED}
    for name, command in commands().items():
        for action in command._actions:
            for flag in action.option_strings:
                assert action.help == helps.get(flag, action.help), f"{name} {flag}"


def test_every_field_of_the_run_options_is_an_option_of_run() -> None:
    arguments = parser().parse_args(["run", "some.yaml"])
    assert {f.name: getattr(arguments, f.name) for f in dataclasses.fields(RunOptions)} == (
        dataclasses.asdict(RunOptions())
    )


@pytest.mark.parametrize("name", commands())
def test_every_command_says_what_it_does_in_lines_that_fit(name: str) -> None:
    command = commands()[name]
    assert command.description and command.description[0].isupper()
    for text in (command.description, command.epilog or ""):
        assert max(map(len, text.splitlines()), default=0) <= 100
    assert all(action.help for action in command._actions)


def test_a_variable_without_a_value_is_told_its_form(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["run", "some.yaml", "--set", "profile"])
    assert ended.value.code == 2
    assert "--set: 'profile' is not NAME=VALUE" in capsys.readouterr().err
