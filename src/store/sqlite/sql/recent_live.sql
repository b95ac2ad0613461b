-- The live rows that `live` does not hold yet. The index of the queue is as small as the backlog and knows the numbers,
-- so that only what is new is looked up.
SELECT interaction, seq
FROM delivery INDEXED BY delivery_queue
WHERE ended_at IS NULL AND seq > ?1
