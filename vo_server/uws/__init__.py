"""What is asked now and fetched later: jobs, as UWS 1.1 has them. It knows no protocol that has jobs."""
