-- Which database of a dump that may hold several is wanted.
ALTER TABLE dump_upload ADD COLUMN source text;
