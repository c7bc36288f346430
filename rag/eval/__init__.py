"""Runs and answers to numbers. Nothing here knows how hits or answers are made."""

from rag.eval.collections import Collection, read_collection
from rag.eval.experiment import evaluate
from rag.eval.measures import Measure, mean_run, measure_run, parse_measure
from rag.eval.questions import Place, Question, read_questions
from rag.eval.report import Evaluation
from rag.eval.retrieval import measure_retriever, search_run
from rag.eval.runs import score_run
from rag.eval.statistics.comparison import Difference, compare
from rag.eval.trec import read_judgments, read_trec_run
from rag.eval.trial import KnowledgeBase

__all__ = [
    "Collection",
    "Difference",
    "Evaluation",
    "KnowledgeBase",
    "Measure",
    "Place",
    "Question",
    "compare",
    "evaluate",
    "mean_run",
    "measure_retriever",
    "measure_run",
    "parse_measure",
    "read_collection",
    "read_judgments",
    "read_questions",
    "read_trec_run",
    "score_run",
    "search_run",
]
