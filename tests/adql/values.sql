SELECT id FROM stars ORDER BY id
--> [1, 2, 3, 4, 5, 6]

SELECT TOP 2 id FROM sky.stars ORDER BY id DESC
--> [6, 5]

SELECT TOP 0 id FROM stars
--> []

SELECT id FROM stars ORDER BY id OFFSET 4
--> [5, 6]

SELECT TOP 2 id FROM stars ORDER BY id OFFSET 1
--> [2, 3]

SELECT 7/2, -7/2, 7/-2, 7.0/2, 7/2*2 FROM stars WHERE id = 1
--> [(3, -3, -3, 3.5, 6)]

SELECT id/2, (0-id)/2 FROM stars WHERE id = 5
--> [(2, -2)]

SELECT 1/0, 1.0/0, id/(id-1), mag/(id-1), MOD(id, id-1), MOD(mag, 0) FROM stars WHERE id = 1
--> [(None, None, None, None, None, None)]

SELECT SQRT(-mag), LOG(mag-mag), LOG10(-1), ASIN(id+1), ACOS(0-id-1), POWER(-8, 0.5), POWER(0, -1), EXP(id*1000) FROM stars WHERE id = 1
--> [(None, None, None, None, None, None, None, None)]

SELECT SQRT(mag), LOG(mag), EXP(-1000), ASIN(1), ACOS(-1), POWER(-2, 3) FROM stars WHERE id = 4
--> [(2.0, 1.3862943611198906, 0.0, 1.5707963267948966, 3.141592653589793, -8.0)]

SELECT SQRT(mag), LOG(mag), ASIN(mag), ROUND(mag, 1), MOD(mag, 2), EXP(mag), COT(mag) FROM stars WHERE id = 6
--> [(None, None, None, None, None, None, None)]

SELECT ROUND(2.5), ROUND(-2.5), ROUND(0.125, 2), ROUND(1250, -2), TRUNCATE(-3.99), TRUNCATE(3.1499, 2), ROUND(id) FROM stars WHERE id = 3
--> [(3.0, -3.0, 0.13, 1300.0, -3.0, 3.14, 3.0)]

SELECT MOD(7, 3), MOD(-7, 3), MOD(7.14, 4), ABS(-3), ABS(-3.5), CEILING(1.2), FLOOR(-1.2) FROM stars WHERE id = 1
--> [(1, -1, 3.14, 3, 3.5, 2.0, -2.0)]

SELECT CEILING(313.6)/100, PI(), DEGREES(PI()), RADIANS(180), ATAN2(1, 1), COT(0.5), LOG10(1000) FROM stars WHERE id = 1
--> [(3.14, 3.141592653589793, 180.0, 3.141592653589793, 0.7853981633974483, 1.830487721712452, 3.0)]

SELECT COUNT(*) FROM stars WHERE RAND() BETWEEN 0 AND 1 AND RAND(3) >= 0
--> [6]

SELECT 'a' || 'b' || name, 'it''s', LOWER(name), UPPER('x') FROM stars WHERE id = 1
--> [('abAlpha', "it's", 'alpha', 'X')]

SELECT name FROM stars WHERE name LIKE 'a%' ORDER BY name
--> ['alpha_2']

SELECT name FROM stars WHERE name ILIKE 'A%' ORDER BY name
--> ['Alpha', 'alpha_2']

SELECT name FROM stars WHERE name NOT LIKE '%a%' ORDER BY name
--> ['C\\D', 'Été']

SELECT id FROM stars WHERE name LIKE 'C\%'
--> [4]

SELECT name FROM stars ORDER BY name
--> ['Alpha', 'C\\D', 'Zeta', 'alpha_2', 'Été', None]

SELECT id FROM stars WHERE name < 'a' ORDER BY id
--> [1, 3, 4]

SELECT MIN(name), MAX(name) FROM stars
--> [('Alpha', 'Été')]

SELECT id FROM stars ORDER BY mag, id
--> [1, 5, 2, 4, 3, 6]

SELECT id FROM stars ORDER BY mag DESC, id DESC
--> [3, 4, 2, 5, 1, 6]

SELECT id AS n, mag*2 AS twice FROM stars WHERE mag IS NOT NULL ORDER BY twice DESC, n
--> [(3, 10.0), (4, 8.0), (2, 5.0), (1, 3.0), (5, 3.0)]

SELECT id, mag FROM stars WHERE id < 3 ORDER BY 2 DESC
--> [(2, 2.5), (1, 1.5)]

SELECT id FROM stars ORDER BY MOD(id, 3), id
--> [3, 6, 1, 4, 2, 5]

SELECT COALESCE(mag, 0), COALESCE(name, 'none') FROM stars WHERE id = 6
--> [(0.0, 'none')]

SELECT CAST(3.9 AS INTEGER), CAST(-3.9 AS BIGINT), CAST(id AS DOUBLE PRECISION), CAST(name AS CHAR(3)), CAST(70000 AS SMALLINT) FROM stars WHERE id = 1
--> [(3, -3, 1.0, 'Alp', None)]

SELECT CAST('12' AS INTEGER), CAST(NULL AS VARCHAR), CAST(id AS VARCHAR(10)) FROM stars WHERE id = 2
--> [(12, None, '2')]

SELECT id FROM stars WHERE mag = NULL OR NOT mag <> NULL
--> []

SELECT id FROM stars WHERE mag IS NULL
--> [6]

SELECT id FROM stars WHERE id BETWEEN 2 AND 3 OR id NOT BETWEEN 1 AND 5 ORDER BY id
--> [2, 3, 6]

SELECT id FROM stars WHERE id IN (1, 2+1, 99) ORDER BY id
--> [1, 3]

SELECT id FROM stars WHERE name NOT IN ('Alpha', 'Zeta') ORDER BY id
--> [2, 4, 5]

SELECT id FROM stars WHERE seen >= '2003-02-14' AND seen < '2003-02-14T12:00:00' ORDER BY id
--> [2, 3]

SELECT id FROM stars WHERE seen BETWEEN '2003-02-14T06:30:00.5Z' AND '2004-01-01' ORDER BY id
--> [3, 4]

SELECT id FROM stars WHERE seen = CAST('2003-02-14' AS TIMESTAMP)
--> [2]

SELECT id FROM stars WHERE seen IN ('2003-02-14', '2005-01-01') ORDER BY id
--> [2, 5]

SELECT id FROM stars WHERE bright = 1 ORDER BY id
--> [1, 3]

SELECT "size", IN_UNIT(ra, 'arcsec') FROM stars WHERE id = 1
--> [(10, 36000.0)]

SELECT id, 'x' 'y' FROM stars WHERE (((id))) = (1) -- a comment
--> [(1, 'xy')]

SELECT id FROM stars WHERE NOT (id > 2) AND NOT NOT id = 1
--> [1]

SELECT - -id, +id, -(id+1)*2 FROM stars WHERE id = 2
--> [(2, 2, -6)]

SELECT id FROM stars WHERE id - 1 - 1 = 1 AND 8 / 2 / 2 = 2 AND 10 - (3 - 2) = 9
--> [3]

SELECT id FROM stars WHERE id = 1;
--> [1]

SELECT "id", STARS.ID, "stars"."id", sky.stars.id FROM stars WHERE id = 1
--> [(1, 1, 1, 1)]

SELECT COORD1(POINT(ra, dec)), COORD2(CENTROID(CIRCLE('ICRS', 1, 2, 3))), COORDSYS(POINT(1, 2)) FROM stars WHERE id = 1
--> [(10.0, 2.0, 'ICRS')]

SELECT DISTANCE(POINT(0, 0), POINT(90, 0)), DISTANCE(10, 20, 10, 50), DISTANCE(ra, dec, 10, 21) FROM stars WHERE id = 1
--> [(90.0, 30.0, 1.0)]

SELECT CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 1)), INTERSECTS(CIRCLE(0, 0, 5), CIRCLE(9, 0, 5)) FROM stars WHERE id IN (1, 2) ORDER BY id
--> [(1, 1), (0, 1)]

SELECT AREA(CIRCLE(0, 0, 180)) FROM stars WHERE id = 1
--> [41252.96124941927]
