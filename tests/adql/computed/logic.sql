SELECT id FROM things WHERE n = 7 AND ok = 1
--> [t.id for t in T if t.n == 7 and t.ok]

SELECT id FROM things WHERE n = 7 OR ok = 1
--> [t.id for t in T if t.n == 7 or t.ok]

SELECT id FROM things WHERE NOT n = 7
--> [t.id for t in T if t.n is not None and t.n != 7]

SELECT id FROM things WHERE NOT (n = 7 OR mag > 2)
--> [t.id for t in T if t.n not in (None, 7) and t.mag is not None and not t.mag > 2]

SELECT id FROM things WHERE NOT (n = 7 AND mag > 2)
--> [t.id for t in T if (t.n is not None and t.n != 7) or (t.mag is not None and not t.mag > 2)]

SELECT id FROM things WHERE n != 7 OR n = 7
--> [t.id for t in T if t.n is not None]

SELECT id FROM things WHERE n = NULL OR NOT n = NULL OR NULL = NULL
--> []

SELECT id FROM things WHERE n IS NULL
--> [t.id for t in T if t.n is None]

SELECT id FROM things WHERE n IS NOT NULL AND mag IS NULL
--> [t.id for t in T if t.n is not None and t.mag is None]

SELECT id FROM things WHERE n BETWEEN 0 AND 10
--> [t.id for t in where(T, lambda t: 0 <= t.n <= 10)]

SELECT id FROM things WHERE n NOT BETWEEN 0 AND 10
--> [t.id for t in where(T, lambda t: not 0 <= t.n <= 10)]

SELECT id FROM things WHERE n BETWEEN 10 AND 0
--> []

SELECT id FROM things WHERE n BETWEEN small AND NULL
--> []

SELECT id FROM things WHERE n NOT BETWEEN 8 AND NULL
--> [t.id for t in where(T, lambda t: t.n < 8)]

SELECT id FROM things WHERE n IN (7, 10, NULL)
--> [t.id for t in T if t.n in (7, 10)]

SELECT id FROM things WHERE n NOT IN (7, 10)
--> [t.id for t in T if t.n not in (None, 7, 10)]

SELECT id FROM things WHERE n NOT IN (7, 10, NULL)
--> []

SELECT id FROM things WHERE small IN (n, n - 4, mag)
--> [t.id for t in T if t.small is not None and (t.small == t.n or (t.n is not None and t.small == t.n - 4) or t.small == t.mag)]

SELECT id FROM things WHERE kind IN (SELECT kind FROM kinds WHERE kind IS NOT NULL)
--> [t.id for t in T if t.kind is not None and t.kind in {k.kind for k in K}]

SELECT id FROM things WHERE kind NOT IN (SELECT kind FROM kinds)
--> []

SELECT id FROM things WHERE kind NOT IN (SELECT kind FROM kinds WHERE kind IS NOT NULL)
--> [t.id for t in T if t.kind is not None and t.kind not in {k.kind for k in K}]

SELECT id FROM things WHERE id IN (SELECT id FROM nothing)
--> []

SELECT id FROM things WHERE kind NOT IN (SELECT name FROM nothing)
--> [t.id for t in T]

SELECT id FROM things WHERE n > 5 AND (n < 8 OR ok = 1) AND NOT (id = 1 AND NOT kind = 'b')
--> [t.id for t in T if t.n is not None and t.n > 5 and (t.n < 8 or t.ok) and t.id != 1]

SELECT id FROM things WHERE 1 = 1 AND NOT 1 = 2 AND 'a' = 'a' AND 2 > 1.5
--> [t.id for t in T]

SELECT id FROM things WHERE id = 9223372036854775807 OR id = -9223372036854775808 OR id = 9223372036854775808
--> [LOW, HIGH]

SELECT id FROM things WHERE id > 9223372036854775806
--> [HIGH]

SELECT id FROM things WHERE n = small
--> [t.id for t in T if t.n is not None and t.n == t.small]

SELECT id FROM things WHERE mag = 0.3
--> []

SELECT id FROM things WHERE mag = CAST(0.3 AS REAL)
--> [t.id for t in T if t.mag == float(np.float32(0.3))]

SELECT id FROM things WHERE n >= 7.0 AND n <= 7.5
--> [t.id for t in T if t.n == 7]

SELECT id FROM things WHERE flux = 0
--> [3]
