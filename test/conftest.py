"""Its presence lets the tests import the helpers of this folder (`qdq_models`)."""
