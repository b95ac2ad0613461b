//! Ending in order.
