SELECT id FROM sky WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(0, 0, 0.4))
--> np.flatnonzero(separation(0, 0) < 0.4).tolist()

SELECT id FROM sky WHERE DISTANCE(ra, dec, 359.9, 0.1) < 0.5
--> np.flatnonzero(separation(359.9, 0.1) < 0.5).tolist()

SELECT id FROM sky WHERE CONTAINS(POINT(ra, dec), CIRCLE(12, 90, 0.5)) = 1 OR CONTAINS(POINT(ra, dec), CIRCLE(200, -90, 0.25)) = 1
--> np.flatnonzero((separation(12, 90) < 0.5) | (separation(200, -90) < 0.25)).tolist()

SELECT id FROM sky WHERE CONTAINS(POINT(ra, dec), CIRCLE(0, 0, 120)) = 0
--> np.flatnonzero(separation(0, 0) > 120).tolist()

SELECT id FROM sky WHERE NOT DISTANCE(POINT(ra, dec), POINT(0, 90)) <= 0.7 AND dec > 0
--> np.flatnonzero((separation(0, 90) > 0.7) & np.array([p.dec > 0 for p in P])).tolist()

SELECT id, DISTANCE(ra, dec, 0, 0) FROM sky WHERE id > 118 ORDER BY 2
--> sorted(((p.id, float(separation(0, 0)[p.id])) for p in P if p.id > 118), key=lambda r: r[1])

SELECT a.id, b.id FROM sky a JOIN sky b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < 0.2 AND a.id < b.id
--> [(a.id, b) for a in P for b in np.flatnonzero(separation(a.ra, a.dec) < 0.2).tolist() if a.id < b]

SELECT COUNT(*) FROM things WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 1))
--> [2]

SELECT id FROM things WHERE 0 = CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 1)) AND id BETWEEN 1 AND 10
--> [2, 3, 4, 5, 8, 10]

SELECT AVG(DISTANCE(ra, dec, 180, 0)), COUNT(*) FROM sky
--> [(float(np.mean(separation(180, 0))), len(P))]
