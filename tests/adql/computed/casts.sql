SELECT id, CAST(t AS INTEGER) FROM texts
--> [(x.id, {'12': 12, ' -7 ': -7, '3.9': 3, '1e3': 1000, '+.5': 0, '-32769': -32769}.get(x.t)) for x in X]

SELECT id, CAST(t AS SMALLINT) FROM texts
--> [(x.id, {'12': 12, ' -7 ': -7, '3.9': 3, '1e3': 1000, '+.5': 0}.get(x.t)) for x in X]

SELECT id, CAST(t AS BIGINT) FROM texts
--> [(x.id, {'12': 12, ' -7 ': -7, '3.9': 3, '1e3': 1000, '+.5': 0, '-32769': -32769, '9223372036854775807': HIGH}.get(x.t)) for x in X]

SELECT id, CAST(t AS DOUBLE PRECISION), CAST(t AS REAL) FROM texts
--> [(x.id, *(2 * ({'12': 12.0, ' -7 ': -7.0, '3.9': 3.9, '1e3': 1e3, '+.5': 0.5, '-32769': -32769.0, '9223372036854775807': 2.0**63, '9223372036854775808': 2.0**63}.get(x.t),))[:1],
   compute(lambda v: float(np.float32(v)), {'12': 12.0, ' -7 ': -7.0, '3.9': 3.9, '1e3': 1e3, '+.5': 0.5, '-32769': -32769.0, '9223372036854775807': 2.0**63, '9223372036854775808': 2.0**63}.get(x.t))) for x in X]

SELECT id, CAST(t AS TIMESTAMP) FROM texts
--> [(x.id, {'2003-02-14': '2003-02-14T00:00:00.000', '2003-02-14T01:02:03.5Z': '2003-02-14T01:02:03.500'}.get(x.t)) for x in X]

SELECT CAST(flux AS INTEGER), CAST(flux AS SMALLINT), CAST(n AS SMALLINT), CAST(mag AS BIGINT), CAST(n AS REAL) FROM things ORDER BY id
--> [(compute(lambda x: int(x) if abs(int(x)) < 2**31 else HIGH + 1, t.flux), compute(lambda x: int(x) if abs(int(x)) < 2**15 else HIGH + 1, t.flux),
   compute(lambda x: x if abs(x) < 2**15 else HIGH + 1, t.n), compute(lambda x: int(np.float32(x)), t.mag), compute(lambda x: float(np.float32(x)), t.n)) for t in sorted(T, key=lambda t: t.id)]

SELECT CAST(id AS VARCHAR), CAST(n AS CHAR(3)), CAST(small AS VARCHAR(10)) FROM things
--> [(str(t.id), compute(lambda n: str(n)[:3], t.n), compute(str, t.small)) for t in T]

SELECT CAST(flux AS VARCHAR), CAST(ra AS VARCHAR) FROM things WHERE id BETWEEN 1 AND 10 ORDER BY id
--> [tuple(compute(lambda x: repr(x).removesuffix('.0'), x) for x in (t.flux, t.ra)) for t in T if 1 <= t.id <= 10]

SELECT CAST(mag AS VARCHAR), CAST(ok AS VARCHAR), CAST(ok AS INTEGER), CAST(seen AS VARCHAR(10)) FROM things WHERE id IN (1, 2, 3, 6) ORDER BY id
--> [('1.5', 'true', 1, '2001-01-01'), ('2.5', 'false', 0, '2003-02-14'), ('0.3', 'true', 1, '2003-02-14'), (None, None, None, None)]

SELECT CAST(name AS VARCHAR(2)), CAST(name AS CHAR(4)) FROM things
--> [(compute(lambda s: s[:2], t.name), compute(lambda s: s[:4], t.name)) for t in T]

SELECT CAST(NULL AS INTEGER), CAST(NULL AS VARCHAR), CAST(NULL AS TIMESTAMP), CAST(NULL AS DOUBLE PRECISION) FROM things WHERE id = 1
--> [(None, None, None, None)]

SELECT CAST(2.9 AS INTEGER), CAST(-2.9 AS INTEGER), CAST(3000000000 AS INTEGER), CAST(40000 AS SMALLINT), CAST(1e19 AS BIGINT), CAST('-12' AS SMALLINT), CAST(0.1 AS REAL), CAST(1e39 AS REAL) FROM things WHERE id = 1
--> [(2, -2, None, None, None, -12, float(np.float32(0.1)), None)]

SELECT id FROM things WHERE CAST(id AS DOUBLE PRECISION) = 9.223372036854775807e18
--> [HIGH]

SELECT CAST(CAST(seen AS VARCHAR) AS TIMESTAMP) FROM things WHERE id = 4
--> ['2003-12-31T23:59:59.999']

SELECT id FROM things WHERE CAST(CAST(seen AS VARCHAR) AS TIMESTAMP) = seen
--> [t.id for t in T if t.seen]
