SELECT COUNT(*), COUNT(n), COUNT(DISTINCT n), COUNT(ALL n), COUNT(name), COUNT(DISTINCT name), COUNT(ok), COUNT(seen) FROM things
--> [(len(T), len(known(t.n for t in T)), len(set(known(t.n for t in T))), len(known(t.n for t in T)), len(known(t.name for t in T)),
   len(set(known(t.name for t in T))), len(known(t.ok for t in T)), len(known(t.seen for t in T)))]

SELECT SUM(n), SUM(DISTINCT n), AVG(n), AVG(DISTINCT n), MIN(n), MAX(n) FROM things
--> (lambda n: [(sum(n), sum(set(n)), sum(n) / len(n), sum(set(n)) / len(set(n)), min(n), max(n))])(known(t.n for t in T))

SELECT MIN(id), MAX(id), SUM(id) FROM things
--> [(LOW, HIGH, sum(t.id for t in T))]

SELECT SUM(id) FROM things WHERE id > 0
--> [None]

SELECT SUM(flux), AVG(flux) FROM things WHERE flux > 1e300 OR id = 1
--> [(1e308 + 1.5, (1e308 + 1.5) / 2)]

SELECT SUM(a.flux) FROM things a, things b WHERE a.flux > 1e300
--> [None]

SELECT MIN(flux), MAX(flux), MIN(mag), MAX(mag) FROM things
--> (lambda f, m: [(min(f), max(f), min(m), max(m))])(known(t.flux for t in T), [float(np.float32(m)) for m in known(t.mag for t in T)])

SELECT MIN(name), MAX(name), MIN(seen), MAX(seen) FROM things
--> [(min(known(t.name for t in T)), max(known(t.name for t in T)), '1969-07-20T20:17:40.000', '9999-12-31T00:00:00.000')]

SELECT COUNT(*), COUNT(x), SUM(x), SUM(id), AVG(x), MIN(name), MAX(x) FROM nothing
--> [(0, 0, None, None, None, None, None)]

SELECT COUNT(*) FROM nothing GROUP BY id
--> []

SELECT kind, COUNT(*), SUM(n) FROM things GROUP BY kind
--> [(k, len(g), sum(known(t.n for t in g)) if known(t.n for t in g) else None) for k, g in groups(T, lambda t: t.kind).items()]

SELECT kind, ok, COUNT(*) FROM things GROUP BY kind, ok ORDER BY kind, ok
--> sorted(((*k, len(g)) for k, g in groups(T, lambda t: (t.kind, t.ok)).items()), key=lambda r: last(*r))

SELECT MOD(n, 2) AS odd, COUNT(*) FROM things WHERE n >= 0 GROUP BY MOD(n, 2) ORDER BY odd
--> sorted(Counter(t.n % 2 for t in T if t.n is not None and t.n >= 0).items())

SELECT kind || '!' AS k, COUNT(*) * 2 + 1 FROM things GROUP BY kind HAVING COUNT(*) > 1 AND kind IS NOT NULL
--> [(k + '!', 2 * n + 1) for k, n in Counter(t.kind for t in T).items() if n > 1 and k is not None]

SELECT LOWER(name), COUNT(*) FROM things GROUP BY LOWER(name) HAVING COUNT(*) > 1
--> [(k, n) for k, n in Counter(compute(str.lower, t.name) for t in T).items() if n > 1]

SELECT FLOOR(ra / 90) AS q, MIN(id) FROM things WHERE id BETWEEN 1 AND 10 GROUP BY FLOOR(ra / 90) ORDER BY 2
--> sorted(((compute(float, k), min(t.id for t in g)) for k, g in groups([t for t in T if 1 <= t.id <= 10], lambda t: compute(lambda r: r // 90, t.ra)).items()), key=lambda r: r[1])

SELECT COUNT(*) FROM things HAVING MAX(n) < 0
--> []

SELECT 1 FROM things HAVING COUNT(*) > 0
--> [1]

SELECT kind FROM things GROUP BY kind ORDER BY COUNT(*) DESC, kind
--> [k for k, n in sorted(Counter(t.kind for t in T).items(), key=lambda i: (-i[1], last(i[0])))]

SELECT MAX(ABS(n)) - MIN(n), SUM(n * 2), AVG(mag) FROM things WHERE id IN (1, 2, 8)
--> [(14, 6, 4.0)]

SELECT (SELECT MAX(k.high) FROM kinds k WHERE k.kind = things.kind) AS high, COUNT(*) FROM things GROUP BY kind
--> [(max(known(k.high for k in K if k.kind == kind), default=None) if kind is not None else None, n) for kind, n in Counter(t.kind for t in T).items()]

SELECT DISTINCT COUNT(*) FROM things GROUP BY kind
--> set(Counter(t.kind for t in T).values())
