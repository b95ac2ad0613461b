-- What the file's table knows of an interaction. Usually nothing, or one row.
SELECT seq FROM live WHERE interaction = ?1
