-- Which programs were looked for in an image: what a later version needs besides was never looked for.
ALTER TABLE image_tool ADD COLUMN asked text[] NOT NULL DEFAULT '{}';
