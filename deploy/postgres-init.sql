-- One server, three databases, two roles that see nothing of each other. Run by psql as a superuser; twice does no harm.
-- The image `postgres` runs it when it makes its volume; a managed server wants it once by hand (docs/deploy.md).
\set ON_ERROR_STOP on
\getenv temporal_password TEMPORAL_DB_PASSWORD
\getenv relayline_password RELAYLINE_DB_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM (VALUES ('temporal'), ('relayline')) AS wanted (name)
WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec

ALTER ROLE temporal PASSWORD :'temporal_password';
ALTER ROLE relayline PASSWORD :'relayline_password';

SELECT format('CREATE DATABASE %I OWNER %I', name, owner)
FROM (VALUES ('temporal', 'temporal'), ('temporal_visibility', 'temporal'), ('relayline', 'relayline')) AS wanted (name, owner)
WHERE name NOT IN (SELECT datname FROM pg_database) \gexec

REVOKE CONNECT ON DATABASE temporal, temporal_visibility, relayline FROM PUBLIC;
