-- Until when one may on any interaction.
SELECT max(not_before) FROM delivery INDEXED BY delivery_landing
WHERE ended_at IS NOT NULL AND not_before IS NOT NULL
