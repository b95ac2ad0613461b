-- Until when a write of a delivery that has ended may still take effect on an interaction.
SELECT max(not_before) FROM delivery
WHERE interaction = ?1 AND ended_at IS NOT NULL AND not_before IS NOT NULL
