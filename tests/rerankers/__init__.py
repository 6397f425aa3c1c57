import pytest

# The promises are asserted outside of a test module: without this, a failure would not show its values.
pytest.register_assert_rewrite("tests.rerankers.contract")
