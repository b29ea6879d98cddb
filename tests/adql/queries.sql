SELECT name, mag FROM stars JOIN plates ON stars.plate = plates.plate WHERE label = 'north' ORDER BY id
--> [('Alpha', 1.5), ('alpha_2', 2.5)]

SELECT id, label FROM stars JOIN plates USING (plate) ORDER BY id
--> [(1, 'north'), (2, 'north'), (3, 'south'), (4, 'south')]

SELECT plate, id, label FROM stars NATURAL JOIN plates WHERE id = 3
--> [(20, 3, 'south')]

SELECT id, label FROM stars LEFT OUTER JOIN plates USING (plate) WHERE id > 3 ORDER BY id
--> [(4, 'south'), (5, None), (6, None)]

SELECT plate, id, label FROM stars RIGHT JOIN plates USING (plate) ORDER BY label, id
--> [(30, None, 'empty'), (10, 1, 'north'), (10, 2, 'north'), (20, 3, 'south'), (20, 4, 'south')]

SELECT COUNT(*) FROM stars FULL OUTER JOIN plates USING (plate)
--> [7]

SELECT plate FROM stars FULL JOIN plates USING (plate) WHERE id IS NULL
--> [30]

SELECT COUNT(*) FROM stars, plates
--> [18]

SELECT a.id, b.id FROM stars AS a, stars b WHERE a.id = b.id + 1 AND b.id < 3 ORDER BY 1
--> [(2, 1), (3, 2)]

SELECT p.* FROM stars AS s JOIN (plates AS p JOIN plates q ON p.plate = q.plate) ON s.plate = q.plate WHERE s.id = 1
--> [(10, 'north')]

SELECT q.n FROM (SELECT id AS n FROM stars WHERE id < 3) AS q ORDER BY n DESC
--> [2, 1]

SELECT * FROM (SELECT id, id+1 FROM stars) q WHERE id = 1
--> [(1, 2)]

SELECT id FROM stars WHERE plate IN (SELECT plate FROM plates WHERE label = 'south') ORDER BY id
--> [3, 4]

SELECT plate FROM plates WHERE NOT EXISTS (SELECT * FROM stars WHERE stars.plate = plates.plate)
--> [30]

SELECT plate, (SELECT MAX(id) FROM stars s WHERE s.plate = p.plate) AS last FROM plates p ORDER BY plate
--> 'ERROR'

SELECT plate, (SELECT MAX(id) FROM stars s WHERE s.plate = p.plate) AS latest FROM plates p ORDER BY plate
--> [(10, 2), (20, 4), (30, None)]

SELECT id FROM stars WHERE mag > (SELECT AVG(mag) FROM stars) ORDER BY id
--> [3, 4]

SELECT plate, COUNT(*), MIN(mag), MAX(mag), AVG(mag), SUM(id) FROM stars WHERE plate IS NOT NULL GROUP BY plate HAVING COUNT(*) > 1 ORDER BY plate
--> [(10, 2, 1.5, 2.5, 2.0, 3), (20, 2, 4.0, 5.0, 4.5, 7)]

SELECT MOD(id, 2), COUNT(*) FROM stars GROUP BY MOD(id, 2) ORDER BY MOD(id, 2)
--> [(0, 3), (1, 3)]

SELECT MOD(id, 2) + 1 AS k, SUM(id) AS s FROM stars GROUP BY MOD(id, 2) ORDER BY s
--> [(2, 9), (1, 12)]

SELECT COUNT(DISTINCT plate), COUNT(plate), COUNT(*), COUNT(ALL plate) FROM stars
--> [(2, 4, 6, 4)]

SELECT COUNT(*) FROM stars HAVING COUNT(*) > 100
--> []

SELECT DISTINCT plate FROM stars ORDER BY plate DESC
--> [20, 10, None]

SELECT DISTINCT TOP 1 plate FROM stars ORDER BY plate
--> [10]

SELECT DISTINCT TOP 2 bright FROM stars WHERE bright IS NOT NULL ORDER BY 1
--> [False, True]

SELECT id FROM stars WHERE id < 3 UNION SELECT plate FROM plates ORDER BY id
--> [1, 2, 10, 20, 30]

SELECT id FROM stars WHERE id < 2 UNION ALL SELECT id FROM stars WHERE id < 3 ORDER BY 1
--> [1, 1, 2]

SELECT plate FROM stars EXCEPT SELECT plate FROM plates
--> [None]

SELECT plate FROM stars EXCEPT ALL SELECT plate FROM plates ORDER BY plate
--> [10, 20, None, None]

SELECT plate FROM stars INTERSECT ALL SELECT plate FROM stars WHERE id <> 2 ORDER BY plate
--> [10, 20, 20, None, None]

SELECT id FROM stars WHERE id < 3 UNION SELECT id FROM stars INTERSECT SELECT id FROM stars WHERE id > 4 ORDER BY id
--> [1, 2, 5, 6]

(SELECT id FROM stars WHERE id < 3 UNION SELECT id FROM stars) INTERSECT SELECT id FROM stars WHERE id > 4 ORDER BY id DESC
--> [6, 5]

(SELECT TOP 1 id FROM stars ORDER BY id) UNION (SELECT TOP 1 id FROM stars ORDER BY id DESC) ORDER BY id
--> [1, 6]

SELECT id FROM stars WHERE id IN ((SELECT id FROM stars WHERE id < 3) EXCEPT SELECT id FROM stars WHERE id = 1)
--> [2]

WITH faint AS (SELECT id, mag FROM stars WHERE mag > 2), pale (n) AS (SELECT id FROM faint) SELECT n FROM pale JOIN faint ON n = id ORDER BY n
--> [2, 3, 4]

SELECT TOP 1 id + 1 FROM stars UNION SELECT 0.5 FROM stars ORDER BY 1
--> [0.5, 2.0]

SELECT plate FROM plates p WHERE EXISTS (SELECT DISTINCT TOP 1 id FROM stars s WHERE s.plate = p.plate) ORDER BY plate
--> [10, 20]

SELECT plate FROM plates p WHERE 1 IN (SELECT id FROM stars s WHERE s.plate = p.plate UNION SELECT id FROM stars s WHERE s.plate + 10 = p.plate) ORDER BY plate
--> [10, 20]

SELECT plate FROM plates p WHERE EXISTS (SELECT DISTINCT id FROM stars s WHERE s.plate = p.plate ORDER BY id) ORDER BY plate
--> 'ERROR'

SELECT id FROM stars s WHERE EXISTS (SELECT plate FROM plates p WHERE p.plate = s.plate AND EXISTS (SELECT id FROM stars t WHERE t.plate = p.plate AND t.id > s.id)) ORDER BY id
--> [1, 3]
