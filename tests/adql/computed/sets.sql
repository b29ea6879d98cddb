SELECT kind FROM things UNION SELECT kind FROM kinds
--> {t.kind for t in T} | {k.kind for k in K}

SELECT kind FROM things UNION ALL SELECT kind FROM kinds
--> [t.kind for t in T] + [k.kind for k in K]

SELECT kind FROM things EXCEPT SELECT kind FROM kinds
--> {t.kind for t in T} - {k.kind for k in K}

SELECT kind FROM things EXCEPT ALL SELECT kind FROM kinds
--> (Counter(t.kind for t in T) - Counter(k.kind for k in K)).elements()

SELECT kind FROM things INTERSECT SELECT kind FROM kinds
--> {t.kind for t in T} & {k.kind for k in K}

SELECT kind FROM things INTERSECT ALL SELECT kind FROM kinds
--> (Counter(t.kind for t in T) & Counter(k.kind for k in K)).elements()

SELECT kind, ok FROM things EXCEPT ALL SELECT kind, ok FROM things WHERE id > 5
--> (Counter((t.kind, t.ok) for t in T) - Counter((t.kind, t.ok) for t in T if t.id > 5)).elements()

SELECT n FROM things UNION SELECT small FROM things
--> {t.n for t in T} | {t.small for t in T}

SELECT small FROM things UNION ALL SELECT flux FROM things
--> [compute(float, t.small) for t in T] + [t.flux for t in T]

SELECT mag FROM things UNION ALL SELECT n FROM things
--> [t.mag for t in T] + [compute(float, t.n) for t in T]

SELECT NULL AS x FROM things WHERE id = 1 UNION ALL SELECT kind FROM kinds
--> [None] + [k.kind for k in K]

SELECT id FROM things WHERE id < 5 UNION SELECT id FROM things WHERE id > 3 INTERSECT SELECT id FROM things WHERE id < 8
--> {t.id for t in T if t.id < 5 or 3 < t.id < 8}

(SELECT id FROM things WHERE id < 5 UNION SELECT id FROM things WHERE id > 3) INTERSECT SELECT id FROM things WHERE id < 8
--> {t.id for t in T if t.id < 8}

SELECT id FROM things EXCEPT SELECT id FROM things WHERE id < 5 UNION SELECT id FROM things WHERE id = 2
--> [t.id for t in T if t.id >= 5] + [2]

SELECT id FROM things EXCEPT (SELECT id FROM things WHERE id < 5 UNION SELECT id FROM things WHERE id = 7)
--> [t.id for t in T if t.id >= 5 and t.id != 7]

SELECT id FROM things UNION ALL SELECT id FROM things WHERE id < 3 UNION SELECT id FROM things WHERE id = 2
--> {t.id for t in T}

(SELECT TOP 2 id FROM things ORDER BY id) UNION ALL (SELECT TOP 2 id FROM things ORDER BY id DESC) ORDER BY id DESC
--> [HIGH, 10, 1, LOW]

SELECT kind FROM things UNION SELECT kind FROM kinds ORDER BY kind DESC
--> sorted(known({t.kind for t in T} | {k.kind for k in K}), reverse=True) + [None]

SELECT kind AS k, 1 AS "from" FROM things UNION SELECT kind, 2 FROM kinds ORDER BY 2, k OFFSET 3
--> sorted({(t.kind, 1) for t in T} | {(k.kind, 2) for k in K}, key=lambda r: last(r[1], r[0]))[3:]

SELECT id, name FROM things WHERE id = 1 UNION SELECT id, name FROM nothing
--> [(1, 'Alpha')]

SELECT seen FROM things EXCEPT SELECT seen FROM things WHERE ok IS NOT NULL
--> ['1969-07-20T20:17:40.000', '2000-02-29T12:00:00.000'] + ([] if any(t.seen is None and t.ok is not None for t in T) else [None])
