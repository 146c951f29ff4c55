-- One server, three databases, two roles that cannot see each other's data. Run by psql (15 or newer) as a superuser, or as a
-- role with CREATEROLE and CREATEDB, such as the admin of a managed server; running it again is safe, and sets the passwords again.
-- The image `postgres` runs it when it makes its volume; docs/operate/deploy.md says when to run it by hand.
\set ON_ERROR_STOP on
\getenv temporal_password TEMPORAL_DB_PASSWORD
\getenv relayline_password RELAYLINE_DB_PASSWORD
\getenv own_password ADMIN_DB_PASSWORD

-- roles without passwords would be useless: unless both are given, nothing is changed
\set given false
\if :{?temporal_password}
  \if :{?relayline_password}
    \set given true
  \endif
\endif
\if :given
\else
  DO $$ BEGIN RAISE 'set TEMPORAL_DB_PASSWORD and RELAYLINE_DB_PASSWORD in the environment; nothing was changed'; END $$;
\endif

SELECT format('CREATE ROLE %I LOGIN', name)
FROM (VALUES ('temporal'), ('relayline')) AS wanted (name)
WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec

ALTER ROLE temporal PASSWORD :'temporal_password';
ALTER ROLE relayline PASSWORD :'relayline_password';
\if :{?own_password}
ALTER ROLE CURRENT_USER PASSWORD :'own_password';
\endif

-- a role that is no superuser may give a database only to a role that it is a member of
GRANT temporal, relayline TO CURRENT_USER;

SELECT format('CREATE DATABASE %I OWNER %I', name, owner)
FROM (VALUES ('temporal', 'temporal'), ('temporal_visibility', 'temporal'), ('relayline', 'relayline')) AS wanted (name, owner)
WHERE name NOT IN (SELECT datname FROM pg_database) \gexec

REVOKE CONNECT ON DATABASE temporal, temporal_visibility, relayline FROM PUBLIC;
