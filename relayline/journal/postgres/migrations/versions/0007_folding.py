"""An append that also returns what folding its facts into the row of its run needs.

The row is read after the append has locked the run's header, and in a statement of its own: one
that began before could show the row as it was before another process changed it.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_APPEND_FOLDING = """
CREATE FUNCTION relayline.append_folding(
    p_run text,
    p_channel text,
    p_scope text, p_attempt integer,
    p_types text[], p_steps integer[], p_attempts integer[], p_keys text[], p_data text[],
    p_kinds text[],
    OUT refusal text,
    OUT detail bigint,
    OUT placed bigint[],
    OUT fresh boolean[],
    OUT first_seq bigint, -- these are NULL where nothing was appended
    OUT at_us bigint, -- when the new events were appended
    OUT state text, -- the row, without the new facts; NULL: there is none
    OUT is_stale boolean -- true: older versions have appended facts that are not in the row
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT done.refusal, done.detail, done.placed, done.fresh
        INTO refusal, detail, placed, fresh
        FROM relayline.append_events(p_run, p_channel, p_scope, p_attempt, p_types, p_steps,
                                     p_attempts, p_keys, p_data, p_kinds) AS done;
    IF refusal IS NULL AND true = ANY (fresh) THEN
        SELECT h.first_seq, h.last_at_us, r.state,
               EXISTS (SELECT 1 FROM relayline.stale_rows s WHERE s.run_id = p_run)
            INTO first_seq, at_us, state, is_stale
            FROM relayline.runs h LEFT JOIN relayline.run_rows r ON r.run_id = h.run_id
            WHERE h.run_id = p_run;
    END IF;
END
$$;
"""


def upgrade() -> None:
    """Create the function."""
    op.get_bind().exec_driver_sql(_APPEND_FOLDING)
