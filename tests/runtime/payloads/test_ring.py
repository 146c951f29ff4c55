"""Keys as settings list them; what is wrong is named, never shown."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest

from relayline.runtime.payloads.ring import BadKeys, ListedKeys, UnknownPayloadKey, new_key
from relayline.runtime.process import build_keyring, redactor_of
from relayline.runtime.redaction import HIDDEN
from relayline.runtime.settings import BadSettings, Settings, load_settings

SECRET = b64encode(b"s" * 32).decode()
OTHER = b64encode(b"o" * 32).decode()
SHORT = b64encode(b"s" * 16).decode()


def test_the_first_key_encrypts_and_all_are_there() -> None:
    ring = ListedKeys.parse(f"id2:{SECRET},\nid1:{OTHER}\n")
    assert ring.ids == ("id2", "id1")
    assert ring.key("id1").secret == b"o" * 32
    with pytest.raises(UnknownPayloadKey, match="'id3'"):
        ring.key("id3")


def test_a_new_key_is_valid_and_has_a_new_name() -> None:
    first, second = new_key(), new_key("mine")
    assert second.key_id == "mine"
    ring = ListedKeys.parse(f"{first.entry()},{second.entry()}")
    assert [ring.key(key_id) for key_id in ring.ids] == [first, second]
    with pytest.raises(BadKeys):
        new_key("not an id")


def test_a_key_is_not_shown_by_repr() -> None:
    key = new_key()
    assert key.encoded() not in repr(key)
    assert repr(key.secret)[2:-1] not in repr(key)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SECRET, "entry 1 is not of the form"),
        (f"id1:{SECRET},a b", "entry 2 is not of the form"),
        (f"id/1:{SECRET}", "entry 1 is not of the form"),
        (f"id1:{SECRET},id2:{SECRET[:-2]}", "entry 2: its key is not base64"),
        (f"id1:{SHORT}", "entry 1: its key has 16 bytes, not 32"),
        (f"id1:{SECRET},id1:{OTHER}", "two keys are called 'id1'"),
    ],
)
def test_bad_keys_stop_the_start_and_are_not_shown(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RELAYLINE_PAYLOAD_KEYS", text)
    with pytest.raises(BadSettings) as refused:
        load_settings()
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(BadSettings) as refused_file:
        build_keyring(Settings(payload_keys="", payload_keys_file=str(file)))
    for name, error in (("KEYS", refused.value), ("KEYS_FILE", refused_file.value)):
        assert str(error).startswith(f"RELAYLINE_PAYLOAD_{name} is ")
        assert said in str(error)
        assert not [key for key in (SECRET, SECRET[:-2], OTHER, SHORT) if key in str(error)]


def test_keys_come_from_a_file_or_from_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"id2:{SECRET}\nid1:{OTHER}\n")
    given = Settings(payload_keys_file=str(file))
    assert build_keyring(given).ids == ("id2", "id1")
    assert file in given.own_files
    assert build_keyring(Settings()).ids == ()
    with pytest.raises(BadSettings, match="both set"):
        build_keyring(Settings(payload_keys=f"id1:{SECRET}", payload_keys_file=str(file)))
    with pytest.raises(BadSettings, match=r"can't be read: No such file"):
        build_keyring(Settings(payload_keys_file=str(tmp_path / "none")))
    file.write_text("\n")
    with pytest.raises(BadSettings, match="has no key"):
        build_keyring(Settings(payload_keys_file=str(file)))


def test_an_empty_setting_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYLINE_PAYLOAD_KEYS", "")
    monkeypatch.setenv("RELAYLINE_PAYLOAD_KEYS_FILE", "")
    assert build_keyring(load_settings()).ids == ()


def test_keys_are_cut_out_of_what_a_worker_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"
    file.write_text(f"id1:{SECRET}")
    assert redactor_of(Settings(payload_keys_file=str(file))).clean(SECRET) == HIDDEN
    monkeypatch.setitem(os.environ, "RELAYLINE_PAYLOAD_KEYS", f"id1:{SECRET}")
    assert redactor_of(load_settings()).clean(f"{SECRET}!") == f"{HIDDEN}!"
