"""Phrases that several rows of the dictionary share: how bins are cut, and the publications that are followed."""

EQUAL_WIDTH = "over the bins (b/M, (b+1)/M]; empty bins add 0"
EQUAL_MASS = (
    "bins cut from the sorted probabilities as array_split does, right closed at the midpoints between neighbouring "
    "chunks; L1, not debiased"
)

GEIFMAN = "Geifman, Uziel, El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019"
GUO = "Guo et al., On Calibration of Modern Neural Networks, ICML 2017"
HENDRYCKS = (
    "Hendrycks, Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural Networks, "
    "ICLR 2017"
)
KUMAR = "Kumar, Liang, Ma, Verified Uncertainty Calibration, NeurIPS 2019"
TAO = "Tao et al., A Benchmark Study on Calibration, ICLR 2024"
