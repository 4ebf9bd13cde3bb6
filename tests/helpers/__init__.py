"""What several tests share: small studies, models, servers."""
