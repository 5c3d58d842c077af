"""What really runs behind the APIs: processes, servers, files. Free of AWS shapes where possible."""
