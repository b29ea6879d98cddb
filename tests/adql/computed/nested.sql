SELECT q.id FROM (SELECT id, n FROM things WHERE n > 0) AS q WHERE q.n < 10
--> [t.id for t in where(T, lambda t: 0 < t.n < 10)]

SELECT a, b + 1 FROM (SELECT id AS a, n AS b FROM (SELECT * FROM things) AS i WHERE ok = 1) o WHERE b IS NOT NULL
--> [(t.id, t.n + 1) for t in T if t.ok and t.n is not None]

SELECT id FROM things WHERE n = (SELECT MAX(n) FROM things)
--> [t.id for t in T if t.n == max(known(u.n for u in T))]

SELECT id, (SELECT COUNT(*) FROM kinds WHERE kinds.kind = things.kind) AS many FROM things
--> [(t.id, sum(k.kind == t.kind is not None for k in K)) for t in T]

SELECT id, (SELECT MIN(low) FROM kinds k WHERE k.kind = t.kind AND k.low < t.n) FROM things t
--> [(t.id, min((k.low for k in where(K, lambda k: k.kind == t.kind is not None, lambda k: k.low < t.n)), default=None)) for t in T]

SELECT id FROM things t WHERE EXISTS (SELECT * FROM kinds k WHERE k.kind = t.kind AND k.high > 8)
--> [t.id for t in T if any(k.kind == t.kind is not None and k.high > 8 for k in K)]

SELECT id FROM things t WHERE NOT EXISTS (SELECT 1 FROM kinds k WHERE k.kind = t.kind)
--> [t.id for t in T if not any(k.kind == t.kind is not None for k in K)]

SELECT id FROM things WHERE EXISTS (SELECT * FROM nothing)
--> []

SELECT id FROM things WHERE NOT EXISTS (SELECT * FROM nothing)
--> [t.id for t in T]

SELECT id FROM things WHERE n > (SELECT x FROM nothing)
--> []

SELECT label FROM kinds k WHERE 7 IN (SELECT n FROM things t WHERE t.kind = k.kind)
--> [k.label for k in K if any(t.kind == k.kind is not None and t.n == 7 for t in T)]

SELECT label FROM kinds k WHERE EXISTS (SELECT t.id FROM things t WHERE t.kind = k.kind AND EXISTS (SELECT u.id FROM things u WHERE u.n = t.n AND u.id <> t.id AND k.low = 0))
--> ['first']

SELECT t.id FROM things t WHERE t.n > (SELECT AVG(u.n) FROM things u WHERE u.kind = t.kind)
--> [t.id for t in T if t.kind is not None and t.n > (lambda g: sum(g) / len(g))(known(u.n for u in T if u.kind == t.kind))]

WITH q AS (SELECT id, n FROM things WHERE n > 0) SELECT id FROM q WHERE n < 10
--> [t.id for t in where(T, lambda t: 0 < t.n < 10)]

WITH q (a, b) AS (SELECT id, n FROM things), r AS (SELECT a FROM q WHERE b = 7), z AS (SELECT 1 AS one FROM r) SELECT r.a, q.b, (SELECT COUNT(*) FROM z) FROM r JOIN q ON q.a = r.a
--> [(1, 7, 2), (9, 7, 2)]

WITH kinds AS (SELECT id, kind FROM things WHERE id = 1) SELECT * FROM kinds
--> [(1, 'a')]

WITH kinds AS (SELECT id, kind FROM things WHERE id = 1) SELECT k.label, kinds.id FROM kinds JOIN s.kinds AS k ON k.kind = kinds.kind
--> [('first', 1)]

WITH a AS (SELECT id FROM things WHERE id < 3) SELECT id FROM a UNION ALL SELECT id FROM a ORDER BY id
--> sorted(2 * [t.id for t in T if t.id < 3])

WITH a AS (SELECT TOP 2 id FROM things ORDER BY id DESC) SELECT COUNT(*) FROM a, a AS b
--> [4]

SELECT x.kind FROM (SELECT kind FROM things UNION SELECT kind FROM kinds) AS x WHERE x.kind > 'b'
--> known({k for k in {t.kind for t in T} | {k.kind for k in K} if k is not None and k > 'b'})

SELECT id FROM things WHERE id IN (SELECT TOP 2 id FROM things ORDER BY id OFFSET 1)
--> sorted(t.id for t in T)[1:3]

SELECT TOP 1 q.id FROM (SELECT TOP 3 id FROM things ORDER BY id DESC) q ORDER BY q.id
--> sorted(t.id for t in T)[-3:][:1]

SELECT p.id FROM things p WHERE p.id IN (SELECT q.id FROM things q WHERE q.n = p.n AND q.id IN (SELECT r.id FROM things r WHERE r.ok = q.ok AND r.kind = p.kind))
--> [t.id for t in T if t.n is not None and t.ok is not None and t.kind is not None]

SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN
  (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN
  (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN (SELECT id FROM things WHERE id IN (1, 2))))))))))))))
--> [1, 2]

SELECT COUNT(*) FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM
  (SELECT * FROM (SELECT * FROM things) AS a) AS a) AS a) AS a) AS a) AS a) AS a) AS a) AS a) AS a) AS a) AS a
--> [len(T)]

SELECT id FROM things t1 WHERE EXISTS (SELECT 1 FROM things t2 WHERE t2.id = t1.id AND EXISTS (SELECT 1 FROM things t3 WHERE t3.id = t2.id AND EXISTS (SELECT 1 FROM things t4 WHERE t4.id = t3.id
  AND EXISTS (SELECT 1 FROM things t5 WHERE t5.id = t4.id AND EXISTS (SELECT 1 FROM things t6 WHERE t6.id = t5.id AND EXISTS (SELECT 1 FROM things t7 WHERE t7.id = t1.id AND t7.n = 7))))))
--> [t.id for t in T if t.n == 7]
