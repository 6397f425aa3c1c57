-- All that a catalog can say and the example apps do not.
CREATE SEQUENCE "Odd Sequence" AS integer INCREMENT BY 5 MINVALUE 10 MAXVALUE 900 START WITH 20 CACHE 3 CYCLE;
CREATE SEQUENCE steps INCREMENT BY 5; SELECT nextval('steps');
CREATE SEQUENCE down INCREMENT BY -1; SELECT setval('down', -7, false);
CREATE TABLE "Odd ""Table""" (
    "order" serial PRIMARY KEY,
    always bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 10) UNIQUE NULLS NOT DISTINCT,
    gone integer,
    parent integer REFERENCES "Odd ""Table""" DEFERRABLE INITIALLY DEFERRED,
    "Price €" numeric(10, 2) DEFAULT 1.5 CONSTRAINT "Positive" CHECK ("Price €" > 0),
    label varchar(20) COLLATE "C" DEFAULT E'it''s\\\n{}',
    tags text[] DEFAULT '{a,"b c"}', raw bytea, at timestamptz, span interval, ratio double precision,
    vector public.halfvec(3), twice numeric GENERATED ALWAYS AS ("Price €" * 2) STORED,
    EXCLUDE USING btree (label WITH =) WHERE (label <> 'x')
) WITH (fillfactor=70);
ALTER TABLE "Odd ""Table""" DROP COLUMN gone;
ALTER TABLE "Odd ""Table""" ALTER COLUMN raw SET STORAGE EXTERNAL, ALTER COLUMN label SET STATISTICS 50;
ALTER TABLE "Odd ""Table""" ALTER COLUMN tags SET COMPRESSION pglz;
COMMENT ON TABLE "Odd ""Table""" IS 'It''s; odd';
COMMENT ON COLUMN "Odd ""Table""".label IS '100 % label';
CREATE INDEX "Odd Index" ON "Odd ""Table""" USING gin (tags) WITH (fastupdate=off) WHERE label > 'b';
CREATE UNIQUE INDEX by_expression ON "Odd ""Table""" (lower(label) DESC NULLS LAST) INCLUDE (ratio);
CREATE INDEX half ON "Odd ""Table""" USING hnsw (vector public.halfvec_l2_ops) WITH (m=8);
CREATE UNLOGGED TABLE scratch (a integer, b integer, PRIMARY KEY (b, a));
CREATE TABLE bare (a integer REFERENCES notes_note); INSERT INTO bare VALUES (NULL), (NULL);
GRANT SELECT, UPDATE ON bare TO PUBLIC; GRANT USAGE ON SEQUENCE "Odd Sequence" TO PUBLIC;
-- Last, as no index is made while a deferred check waits.
INSERT INTO "Odd ""Table""" (parent, label, tags, raw, at, span, ratio, vector) VALUES
    (2, 'it''s', '{NULL,"\"q\""}', '\x00ff', '2026-01-02 03:04:05.678901+05', '1 day', 0.1, '[1,2,3]'),
    (1, E'back\\slash\n; % {}', NULL, NULL, NULL, NULL, 'NaN', NULL);
