//! Reading `Retry-After`.
