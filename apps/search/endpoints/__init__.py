"""What all clients of services share: embedders ask them for vectors, rerankers for scores."""
