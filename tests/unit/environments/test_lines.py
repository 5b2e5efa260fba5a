"""Lines of requirements files are looked at before any installer reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from millstream.environments.lines import ARCHIVE, distribution_in, parse_requirements, read_requirements
from millstream.errors import InvalidValue, MillstreamError, NotFound
from tests.unit.environments.wheels import wheel

KNOWN = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "--no-binary",
         "--only-binary", "--prefer-binary", "--pre", "--no-index", "--require-hashes", "--no-sources")


def test_files_that_files_name_count_with_their_constraints(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "requirements.txt").write_text(
        "# what we need\n--extra-index-url https://example.org/simple\nbeam == 1.0 ; python_version < '4' # why\n"
        "-r more/dev.txt\n--constraint=limits.txt\nroof \\\n  >=2\n"
    )
    (tmp_path / "more" / "dev.txt").write_text("-c ../limits.txt\nbeam == 1.0 ; python_version < '4'\nwall[a,b]\n")
    (tmp_path / "limits.txt").write_text("roof<3\n")
    found = read_requirements(tmp_path / "requirements.txt")
    assert found.lines == ["--extra-index-url https://example.org/simple", 'beam==1.0; python_version < "4"',
                           "wall[a,b]", "roof>=2"]
    assert found.constraints == ["roof<3"]


class TestOnThisMachine:
    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        for folder in ("lib", "a lib", "tools/sub"):
            (tmp_path / folder).mkdir(parents=True)
        wheel(tmp_path / "lib", "beam", "1.0")
        return tmp_path

    @pytest.mark.parametrize(("line", "place"), [
        (".", ""), ("-e .", ""), ("--editable=.", ""), ("./lib", "lib"), ("-e ./lib", "lib"), ("-elib", "lib"),
        ("-e lib[a]", "lib[a]"),
        ("tools/sub", "tools/sub"), ("-e 'a lib'", "a%20lib"), ("./lib/../lib", "lib"),
        (".[test]", "[test]"), ("-e ./lib[a, b]", "lib[a,b]"), ("lib/beam-1.0-py3-none-any.whl",
                                                               "lib/beam-1.0-py3-none-any.whl"),
    ])
    def test_folders_and_archives_are_found_beside_the_project(self, line: str, place: str, project: Path) -> None:
        found = read_requirements([line], local=project).lines
        assert found == [f"{project.as_uri()}/{place}" if place[:1] not in ("", "[") else project.as_uri() + place]

    def test_those_of_a_file_lie_beside_the_project_or_beside_the_file(self, project: Path) -> None:
        (project / "tools" / "requirements.txt").write_text("-e .\n./sub\n./lib\n")
        found = read_requirements(project / "tools" / "requirements.txt", local=project).lines
        assert found == [project.as_uri(), (project / "tools" / "sub").as_uri(), (project / "lib").as_uri()]

    def test_folders_of_packages_too(self, project: Path) -> None:
        found = read_requirements(["--find-links lib", "-f https://example.org/x"], local=project).lines
        assert found == [f"--find-links {(project / 'lib').as_uri()}", "-f https://example.org/x"]

    def test_what_is_not_there_is_told(self, project: Path) -> None:
        with pytest.raises(NotFound, match="names .*/none, which is not there"):
            read_requirements(["-e ./none"], local=project)

    @pytest.mark.parametrize(("line", "read"), [
        ("-e git+https://example.org/beam.git@v1#egg=beam", "beam @ git+https://example.org/beam.git@v1"),
        ("git+https://example.org/beam.git#egg=beam", "git+https://example.org/beam.git#egg=beam"),
        ("beam @ git+https://example.org/beam.git@v1", "beam @ git+https://example.org/beam.git@v1"),
        ("beam", "beam"), ("beam>=1,<2", "beam<2,>=1"),
    ])
    def test_what_comes_from_elsewhere_stays_as_it_is(self, line: str, read: str, project: Path) -> None:
        assert read_requirements([line], local=project).lines == [read]

    @pytest.mark.parametrize("line", [".", "-e .", "./lib", "-e git+https://example.org/beam.git#egg=beam"])
    def test_a_model_may_name_no_folder(self, line: str, project: Path) -> None:
        with pytest.raises(InvalidValue):
            read_requirements([line], beside=project)


@pytest.mark.parametrize("line", [
    "--target /tmp", "--config-settings=x=y", "--global-option=x", "-U", "--upgrade", "beam --target /tmp", "--pre x",
    "--index-url", "--no-index=https://example.org", "--python-platform linux", "-", "--", "beam; rm -r /", "`id`",
    "beam $(id)", "https://example.org/x.whl | sh", "-e -x", "--find-links a b",
])
@pytest.mark.parametrize("local", [True, False])
def test_other_options_and_words_of_a_shell_are_refused(line: str, local: bool, tmp_path: Path) -> None:
    with pytest.raises((InvalidValue, NotFound)):
        read_requirements([line], beside=tmp_path, local=tmp_path if local else None)


def test_a_file_that_includes_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").write_text("-r a.txt\n")
    with pytest.raises(InvalidValue, match="includes itself"):
        parse_requirements(tmp_path / "a.txt")


def test_distributions_are_known_by_their_normalized_names() -> None:
    assert distribution_in("Scikit_Learn[extra]>=1") == "scikit-learn"
    assert distribution_in("beam @ https://example.org/x.whl") == "beam"
    assert distribution_in("https://example.org/x.whl") == "https://example.org/x.whl"


WORDS = st.sampled_from(["beam", "-e", ".", "./lib", "--index-url", "--pre", "--target", "-r", "-c", "x.txt", ";", "|",
                         "&&", "$(id)", "`id`", "==1.0", "@", "file:///", "git+ssh://h/x", " ", "\\\n", "\n", "\t",
                         "#", "'", '"', "[a]", "--hash=sha256:00", "=", "https://h/x.whl", "\0", "\x85", "\u2028",
                         "~", "~nobody/", "../", "x" * 300])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=8).map("".join), st.lists(WORDS).map(" ".join)))
@example("beam\x85--target /tmp")
@example("beam\u2028--target /tmp")
@example("file:///x --target /tmp")
@example("-r ~nobody/x")
@example("-e ~nobody/x")
@example("./" + "x" * 300)
@example("-r " + "x" * 300)
def test_whatever_is_read_an_installer_gets_nothing_else(tmp_path: Path, text: str) -> None:
    """A line is a requirement, an option that is known, or the address or name of an archive or folder."""
    for local in (tmp_path, None):
        try:
            found = read_requirements([text], beside=tmp_path, local=local)
        except MillstreamError:
            continue
        for line in [*found.lines, *found.constraints]:
            assert line.splitlines() == [line]
            assert line.isprintable()
            if line.startswith("-"):
                assert line.replace("=", " ").split(" ")[0] in KNOWN
                assert len(line.replace("=", " ", 1).split()) <= 2
            elif "://" in line.partition(" @ ")[0] or ARCHIVE.fullmatch(line):
                assert not set(line) & set("`$;|&<>\"'")
                assert "://" not in line or " " not in line
            else:
                Requirement(line.partition(" --hash")[0])
