//! Each row of the table of HTTP answers.
