-- The memory that a server started in advance holds while it is paused. NULL if it could not be measured.
ALTER TABLE spare ADD COLUMN memory_used bigint CHECK (memory_used >= 0);
