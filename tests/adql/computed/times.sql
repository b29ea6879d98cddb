SELECT id FROM things WHERE seen < '2001-01-01T00:00:00.000001'
--> [1, 5, 7, 10]

SELECT id FROM things WHERE seen = '2001-01-01'
--> [1, 7]

SELECT id FROM things WHERE seen >= '2003-02-14 06:30' AND seen <= '2003-12-31T23:59:59.999999Z'
--> [3, 4]

SELECT id FROM things WHERE seen BETWEEN '2003-02-14' AND '2003-02-14T06:30:00.5'
--> [2, 3]

SELECT id FROM things WHERE seen NOT BETWEEN '1970-01-01' AND '2020-01-01'
--> [5, 8, HIGH]

SELECT id FROM things WHERE seen IN ('2000-02-29T12:00:00', '2024-02-29')
--> [10, HIGH]

SELECT id FROM things WHERE seen <> '2001-01-01' AND seen < '2002-01-01'
--> [5, 10, LOW]

SELECT seen FROM things WHERE seen IS NOT NULL ORDER BY seen DESC
--> sorted((shown(t.seen) for t in T if t.seen), reverse=True)

SELECT a.id, b.id FROM things a JOIN things b ON a.seen = b.seen AND a.id < b.id
--> [(1, 7)]

SELECT a.id FROM things a JOIN things b ON a.seen < b.seen WHERE b.id = 10
--> [5]

SELECT MAX(seen), MIN(seen), COUNT(DISTINCT seen) FROM things WHERE ok = 1
--> [('2003-02-14T06:30:00.500', '2001-01-01T00:00:00.000', 3)]

SELECT id FROM things WHERE seen = CAST('2003-02-14T00:00:00.0000009' AS TIMESTAMP)
--> [2]

SELECT id FROM things WHERE ok = 1
--> [t.id for t in T if t.ok is True]

SELECT id FROM things WHERE ok <> 1
--> [t.id for t in T if t.ok is False]

SELECT id FROM things WHERE ok IS NULL OR NOT ok = 0
--> [t.id for t in T if t.ok is not False]

SELECT ok, COUNT(*) FROM things GROUP BY ok ORDER BY ok DESC
--> sorted(Counter(t.ok for t in T).items(), key=lambda i: (i[0] is None, not i[0]))

SELECT DISTINCT ok FROM things ORDER BY ok
--> [False, True, None]

SELECT a.id FROM things a JOIN things b ON a.ok = b.ok WHERE b.id = 2 AND a.id BETWEEN 1 AND 10
--> [t.id for t in T if t.ok is False and 1 <= t.id <= 10]
