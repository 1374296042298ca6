# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Reading a study file and a results directory, and writing study.json; all rules are in study.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import fcntl
import json
import os
import re
import shutil

from ansible_collections.postcopy.lab.plugins.module_utils import study as rules
from ansible_collections.postcopy.lab.plugins.module_utils import yaml_text

try:
    import yaml
except ImportError:  # nodes need no PyYAML: studies are read on the control machine only
    yaml = None

STUDY_FILE = "study.json"
RUN_FILE = "run.json"
LAB_FILE = "lab.json"


def read_study(path):
    """The validated study of a file; StudyError with one line for a missing, unreadable or wrong one."""
    if yaml is None:
        raise rules.StudyError("%s: cannot be read, PyYAML is missing for %s" % (path, "this Python"))
    try:
        with open(path, "rb") as stream:
            content = stream.read(yaml_text.LARGEST_BYTES + 1)
        yaml_text.check_yaml(content, decimal=True)
        document = yaml.safe_load(content)
    except (IOError, OSError) as error:
        raise rules.StudyError("%s: cannot be read: %s" % (path, error.strerror))
    except yaml_text.YamlFault as error:
        where = "line %d: " % error.line if error.line is not None else ""
        raise rules.StudyError("%s: %s%s" % (path, where, error))
    except (yaml.YAMLError, ValueError) as error:
        # What a value's own constructor refuses: an unknown tag, the 31st of February.
        raise rules.StudyError(
            "%s: not usable YAML: %s" % (path, getattr(error, "problem", None) or str(error))
        )
    name = os.path.splitext(os.path.basename(path))[0]
    return rules.validate(document, path, name)


def run_directory(results_directory, case, repetition):
    """Where a run's evidence lies below results/<study>/<lab>."""
    return os.path.join(results_directory, "runs", case, "%02d" % repetition)


def finished_runs(results_directory, order):
    """The runs of an order that have their run.json: set of (case, repetition)."""
    return {
        (case, repetition)
        for case, repetition in order
        if os.path.exists(os.path.join(run_directory(results_directory, case, repetition), RUN_FILE))
    }


def check_results_directory(results_directory, study, cases, lab, release):
    """StudyError if the directory holds another study, another lab's or something else; absent is fine."""
    path = os.path.join(results_directory, STUDY_FILE)
    if not os.path.exists(path):
        if os.path.isdir(results_directory) and os.listdir(results_directory):
            raise rules.StudyError(
                "%s: is not a results directory: it has no %s (choose another results directory)"
                % (results_directory, STUDY_FILE)
            )
        return
    rules.check_same_study(_read_json(path), study, cases, path)
    lab_path = os.path.join(results_directory, LAB_FILE)
    if os.path.exists(lab_path):
        rules.check_same_lab(_read_json(lab_path), lab, release, lab_path)


def earlier_lab_file(session):
    """Where the description of an earlier session is kept."""
    return "lab-%d.json" % session


def keep_description(directory, document):
    """Write lab.json, unless it says the same already, and keep the description that it had before.

    Runs of several pairs are made by several processes: one after the other comes here.

    :returns: (number of the session that this description is of, counted from 1; whether anything changed)
    """
    if not os.path.isdir(directory):
        os.makedirs(directory)
    path = os.path.join(directory, LAB_FILE)
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        session = 1 + max([0] + [int(found.group(1)) for found in _earlier(directory)])
        if os.path.exists(path):
            held = _read_json(path)
            session = held.get("session", 1)
            if _content(held) == _content(json.loads(json.dumps(document))):
                return session, False
            shutil.copyfile(path, os.path.join(directory, earlier_lab_file(session)))
            session += 1
        return session, write_json(path, dict(document, session=session))
    finally:
        os.close(lock)


def _earlier(directory):
    found = (re.match(r"lab-(\d+)\.json$", name) for name in os.listdir(directory))
    return [match for match in found if match]


def _content(description):
    """What makes a description another one: all but when it was written, and its number."""
    return {key: description[key] for key in description if key not in ("session", "written_at")}


def _read_json(path):
    try:
        with open(path) as stream:
            return json.load(stream)
    except (IOError, OSError, ValueError):
        raise rules.StudyError("%s: cannot be read as JSON (choose another results directory)" % path)


def write_json(path, document):
    """Write a JSON file in one step; returns whether its content changed. Creates missing directories."""
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    try:
        with open(path) as stream:
            if stream.read() == text:
                return False
    except (IOError, OSError):
        pass
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with open(path + ".partial", "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(path + ".partial", path)
    return True
