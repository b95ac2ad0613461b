//! Full disks, read-only and locked files: 503, a reason, and healing.
