-- Version 3. `not_before` stays on a delivery that has ended while a write of its own may still take effect, and is asked
-- for when another survey of the interaction comes. Such rows are few: the index holds nothing but them.
CREATE INDEX delivery_landing ON delivery (interaction, not_before)
WHERE ended_at IS NOT NULL AND not_before IS NOT NULL;
