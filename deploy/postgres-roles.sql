-- Two more roles for the journal: relayline_api, which owns nothing and sees one tenant at a time, and relayline_worker, which sees
-- all. Run by psql (15 or newer) as a superuser, in the journal's database, after `relayline migrate`; again after each migration
-- and to set other passwords. docs/operate/security.md says what it is for. To take the separation back: ALTER TABLE … DISABLE ROW
-- LEVEL SECURITY for the tables at the end.
\set ON_ERROR_STOP on
\getenv api_password RELAYLINE_API_DB_PASSWORD
\getenv worker_password RELAYLINE_WORKER_DB_PASSWORD

-- roles without passwords would be useless: unless both are given, nothing is changed
\set given false
\if :{?api_password}
  \if :{?worker_password}
    \set given true
  \endif
\endif
\if :given
\else
  DO $$ BEGIN RAISE 'set RELAYLINE_API_DB_PASSWORD and RELAYLINE_WORKER_DB_PASSWORD in the environment; nothing was changed'; END $$;
\endif

SELECT format('CREATE ROLE %I LOGIN', name)
FROM (VALUES ('relayline_api'), ('relayline_worker')) AS wanted (name)
WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec

BEGIN;
ALTER ROLE relayline_api NOSUPERUSER NOBYPASSRLS PASSWORD :'api_password';
ALTER ROLE relayline_worker NOSUPERUSER BYPASSRLS PASSWORD :'worker_password';
SELECT format('GRANT CONNECT ON DATABASE %I TO relayline_api, relayline_worker', current_database()) \gexec
GRANT USAGE ON SCHEMA relayline TO relayline_api, relayline_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA relayline TO relayline_api, relayline_worker;
REVOKE INSERT, UPDATE, DELETE ON relayline.alembic_version, relayline.erasing_key FROM relayline_api, relayline_worker;
-- rows of the audit log are added by all; workers alone place them in its chain, and sweep it
REVOKE UPDATE, DELETE ON relayline.audit FROM relayline_api;
REVOKE INSERT, UPDATE, DELETE ON relayline.audit_anchors FROM relayline_api;

-- tables of later versions, until this runs again
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA relayline GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES'
              ' TO relayline_api, relayline_worker', nspowner::regrole)
FROM pg_namespace WHERE nspname = 'relayline' \gexec

-- from here on relayline_api sees the rows of the tenant that its transaction names, and none without one
SELECT format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', schemaname, tablename)
FROM pg_policies WHERE schemaname = 'relayline' AND policyname = 'tenants_apart' \gexec
COMMIT;
