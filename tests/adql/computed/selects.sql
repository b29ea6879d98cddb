SELECT id, name FROM things
--> [(r.id, r.name) for r in T]

SELECT * FROM s.kinds
--> [tuple(r) for r in K]

SELECT k.*, kinds.label FROM kinds, kinds AS k WHERE k.kind = kinds.kind
--> [(*k, r.label) for r, k in product(K, K) if k.kind is not None and k.kind == r.kind]

SELECT ALL kind FROM things
--> [r.kind for r in T]

SELECT DISTINCT kind FROM things
--> {r.kind for r in T}

SELECT DISTINCT ra, dec FROM things
--> {(r.ra, r.dec) for r in T}

SELECT TOP 3 id FROM things ORDER BY id
--> sorted(r.id for r in T)[:3]

SELECT TOP 3 id FROM things ORDER BY id OFFSET 10
--> sorted(r.id for r in T)[10:13]

SELECT DISTINCT TOP 2 kind FROM things ORDER BY kind OFFSET 1
--> sorted({r.kind for r in T}, key=last)[1:3]

SELECT DISTINCT TOP 3 n FROM things ORDER BY n DESC OFFSET 2
--> sorted({r.n for r in T}, key=lambda n: last(None if n is None else -n))[2:5]

SELECT id FROM things ORDER BY id OFFSET 12
--> []

SELECT TOP 0 id FROM things
--> []

SELECT name FROM things ORDER BY name, id
--> [r.name for r in sorted(T, key=lambda r: last(r.name, r.id))]

SELECT name FROM things ORDER BY name DESC, id
--> [r.name for r in sorted(T, key=lambda r: last(None if r.name is None else tuple(-ord(c) for c in r.name) + (1,), r.id))]

SELECT id FROM things ORDER BY mag, id DESC
--> [r.id for r in sorted(T, key=lambda r: last(r.mag, -r.id))]

SELECT id FROM things ORDER BY mag DESC, 1
--> [r.id for r in sorted(T, key=lambda r: last(None if r.mag is None else -r.mag, r.id))]

SELECT id, n * 2 AS twice FROM things ORDER BY twice, id
--> [(r.id, compute(lambda n: 2 * n, r.n)) for r in sorted(T, key=lambda r: last(r.n, r.id))]

SELECT id FROM things ORDER BY MOD(n, 3), ok, id
--> [r.id for r in sorted(T, key=lambda r: last(compute(math.fmod, r.n, 3), r.ok, r.id))]

SELECT id AS "Number of it", 'x' AS "selekt""ed" FROM things WHERE id = 1
--> [(1, 'x')]

SELECT "id", THINGS.ID, "things"."id", s.things.id FROM things WHERE id = 1
--> [(1, 1, 1, 1)]

SELECT id, NULL, 1, 1.5, 'it''s', 'a' 'b', 3000000000, -9223372036854775808, 9223372036854775807, 1e3 FROM things WHERE id = 1
--> [(1, None, 1, 1.5, "it's", 'ab', 3000000000, LOW, HIGH, 1000.0)]

SELECT id -- the number
FROM things -- of things
WHERE id IN (9223372036854775807, -9223372036854775808)
--> [LOW, HIGH]

SELECT t.id, t.kind FROM things AS t JOIN kinds AS k ON t.kind = k.kind ORDER BY kind, id
--> sorted([(t.id, t.kind) for t, k in product(T, K) if t.kind is not None and t.kind == k.kind],
   key=lambda row: (row[1], row[0]))

SELECT kind, COUNT(*) FROM things WHERE kind IS NOT NULL GROUP BY kind ORDER BY count_all DESC, kind
--> sorted(Counter(t.kind for t in T if t.kind is not None).items(), key=lambda row: (-row[1], row[0]))
