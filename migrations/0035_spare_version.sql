-- The version that a server started in advance reported, so that it need not be asked again when it is taken.
ALTER TABLE spare ADD COLUMN version text;
