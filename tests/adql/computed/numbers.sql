SELECT n + 1, n - small, n * 2, n / 2, n / 2.0, -n, +n FROM things ORDER BY id
--> [(*(compute(f, t.n) for f in (lambda n: n + 1,)), compute(lambda a, b: a - b, t.n, t.small), *(compute(f, t.n) for f in
   (lambda n: n * 2, lambda n: math.trunc(n / 2), lambda n: n / 2, lambda n: -n, lambda n: n))) for t in sorted(T, key=lambda t: t.id)]

SELECT 7 / 2, -7 / 2, 7 / -2, 1 / 0, 7.0 / 2, 7 / 2 * 2, 2 + 3 * 4, (2 + 3) * 4, 10 - 3 - 2, 100 / 10 / 5, - - 3, 1.0 / 0.0 FROM things WHERE id = 1
--> [(3, -3, -3, None, 3.5, 6, 14, 20, 5, 2, 3, None)]

SELECT id + 1, id - 1, id * 2, id / 2, -id FROM things WHERE id < 0 OR id > 100 ORDER BY id
--> [(LOW + 1, None, None, LOW // 2, None), (None, HIGH - 1, None, HIGH // 2, -HIGH)]

SELECT id / (n - n - 1) FROM things WHERE id < 0 OR id > 100 ORDER BY id
--> [None, -HIGH]

SELECT id + 1 - 1 FROM things WHERE id > 100
--> [None]

SELECT 9223372036854775807 + small, -9223372036854775808 - small FROM things ORDER BY id
--> [(compute(lambda s: HIGH + s, t.small), compute(lambda s: LOW - s, t.small)) for t in sorted(T, key=lambda t: t.id)]

SELECT flux * 10, flux * flux, flux + flux, flux / 10, -flux, flux - flux FROM things ORDER BY id
--> [tuple(compute(f, t.flux) for f in (lambda x: x * 10, lambda x: x * x, lambda x: x + x, lambda x: x / 10, lambda x: -x, lambda x: x - x)) for t in sorted(T, key=lambda t: t.id)]

SELECT id FROM things WHERE flux * 10 > 1e300
--> []

SELECT id FROM things WHERE 1 / (flux * flux) >= 0
--> [t.id for t in T if compute(lambda x: 1 / (x * x), t.flux) is not None and t.flux * t.flux < float('inf')]

SELECT mag + mag, mag * 3, mag / 3, mag - 0.1 FROM things WHERE id < 9 AND id > 0 ORDER BY id
--> [tuple(compute(f, t.mag) for f in (lambda m: m + m, lambda m: m * 3, lambda m: m / 3, lambda m: m - 0.1)) for t in T if 0 < t.id < 9]

SELECT id FROM things WHERE mag - 0.3 > 0 AND mag < 1
--> [t.id for t in where(T, lambda t: t.mag - 0.3 > 0 and t.mag < 1)]

SELECT ABS(n), ABS(flux), ABS(small), ABS(mag) FROM things WHERE id BETWEEN 0 AND 9
--> [tuple(compute(abs, x) for x in (t.n, t.flux, t.small, t.mag)) for t in T if 0 < t.id <= 9]

SELECT ABS(id) FROM things WHERE id < 0 OR id > 100
--> [None, HIGH]

SELECT CEILING(flux), FLOOR(flux), CEILING(n), FLOOR(mag) FROM things WHERE ABS(flux) < 1e9
--> [(compute(lambda x: float(np.ceil(x)), t.flux), compute(lambda x: float(np.floor(x)), t.flux), compute(float, t.n), compute(lambda x: float(np.floor(x)), t.mag)) for t in where(T, lambda t: abs(t.flux) < 1e9)]

SELECT ROUND(flux), ROUND(flux, 1), ROUND(flux, -2), ROUND(n, -1), TRUNCATE(flux), TRUNCATE(flux, 2), TRUNCATE(n, -1) FROM things WHERE ABS(flux) < 1e9
--> [(*(compute(halves_away, t.flux, p) for p in (0, 1, -2)), compute(halves_away, t.n, -1), compute(lambda x: float(math.trunc(x)), t.flux),
   compute(lambda x: math.trunc(x * 100) / 100, t.flux), compute(lambda x: float(math.trunc(x / 10) * 10), t.n)) for t in where(T, lambda t: abs(t.flux) < 1e9)]

SELECT ROUND(0.5), ROUND(0.5, 0), ROUND(-0.5), ROUND(1.5), ROUND(-2.5), ROUND(2.45, 1), ROUND(15, -1), ROUND(-15, -1), ROUND(149, -2) FROM things WHERE id = 1
--> [(1.0, 1.0, -1.0, 2.0, -3.0, 2.5, 20.0, -20.0, 100.0)]

SELECT MOD(n, 3), MOD(n, -3), MOD(flux, 0.7), MOD(n, small), MOD(-7, 3), MOD(7, -3), MOD(-7.5, 2), MOD(n, 0) FROM things WHERE id BETWEEN 1 AND 3 ORDER BY id
--> [(int(math.fmod(t.n, 3)), int(math.fmod(t.n, -3)), math.fmod(t.flux, 0.7), compute(lambda a, b: int(math.fmod(a, b)), t.n, t.small), -1, 1, -1.5, None) for t in T if 1 <= t.id <= 3]

SELECT SQRT(flux), LOG(flux), LOG10(flux), EXP(flux), EXP(-flux) FROM things ORDER BY id
--> [tuple(compute(f, t.flux) for f in (math.sqrt, math.log, math.log10, math.exp, lambda x: math.exp(-x))) for t in sorted(T, key=lambda t: t.id)]

SELECT POWER(flux, 2), POWER(flux, 0.5), POWER(flux, -1), POWER(n, 3), POWER(2, n), POWER(flux, n) FROM things WHERE id BETWEEN 1 AND 10 AND n < 100 ORDER BY id
--> [tuple(compute(f, t.flux, t.n) for f in (lambda x, n: math.pow(x, 2), lambda x, n: math.pow(x, 0.5), lambda x, n: math.pow(x, -1),
   lambda x, n: math.pow(n, 3), lambda x, n: math.pow(2, n), lambda x, n: math.pow(x, n))) for t in where(T, lambda t: 1 <= t.id <= 10 and -100 < t.n < 100 or t.n == -2**31)]

SELECT SIN(ra), COS(ra), TAN(ra), COT(ra), ATAN(ra), ATAN2(ra, dec), DEGREES(ra), RADIANS(ra) FROM things ORDER BY id
--> [(*(compute(f, t.ra) for f in (math.sin, math.cos, math.tan, lambda x: 1 / math.tan(x), math.atan)), compute(math.atan2, t.ra, t.dec),
   *(compute(f, t.ra) for f in (math.degrees, math.radians))) for t in sorted(T, key=lambda t: t.id)]

SELECT ASIN(mag / 4), ACOS(mag / 4), ASIN(n), ACOS(n) FROM things WHERE id BETWEEN 1 AND 9 ORDER BY id
--> [(*(compute(lambda m, f=f: f(m / 4), t.mag) for f in (math.asin, math.acos)), *(compute(f, t.n) for f in (math.asin, math.acos))) for t in T if 1 <= t.id <= 9]

SELECT PI(), DEGREES(PI()), ATAN2(0, -1), DEGREES(1e308), EXP(710), LOG(0), POWER(0, 0) FROM things WHERE id = 1
--> [(math.pi, 180.0, math.pi, None, None, None, 1.0)]

SELECT COUNT(*) FROM things WHERE RAND() >= 0 AND RAND(42) <= 1
--> [len(T)]

SELECT IN_UNIT(ra, 'arcsec'), IN_UNIT(dec, 'rad'), IN_UNIT(ra * dec, 'arcmin2'), IN_UNIT(ra + dec, 'deg') FROM things WHERE id BETWEEN 1 AND 10 ORDER BY id
--> [(compute(lambda r: r * 3600, t.ra), compute(math.radians, t.dec), compute(lambda a, b: a * b * 3600, t.ra, t.dec), compute(lambda a, b: a + b, t.ra, t.dec)) for t in T if 1 <= t.id <= 10]

SELECT COALESCE(n, 0), COALESCE(n, small, -1), COALESCE(mag, ra, 5), COALESCE(NULL, n) FROM things WHERE id IN (1, 6, 9) ORDER BY id
--> [(7, 7, 1.5, 7), (0, -1, 5.0, None), (7, 7, 45.5, 7)]

SELECT CAST(flux AS REAL) FROM things ORDER BY id
--> [compute(lambda x: float(np.float32(x)) if abs(x) < 3.4e38 else math.inf, t.flux) for t in sorted(T, key=lambda t: t.id)]
