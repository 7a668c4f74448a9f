"""Names that fill the slots of frames: common ones chosen from lists, those of methods and data sets invented."""

from __future__ import annotations

import random

_TASKS = """
    machine translation; question answering; summarization; named entity recognition; code generation; image captioning;
    object detection; speech recognition; sentiment analysis; relation extraction; dialogue; mathematical reasoning;
    commonsense reasoning; document retrieval; entity linking; semantic parsing; paraphrase detection; text classification;
    image segmentation; protein folding; molecule design; theorem proving; robot navigation; video understanding;
    visual question answering; fact checking; coreference resolution; topic modelling; program repair; keyword spotting;
    speaker identification; anomaly detection; recommendation; time series forecasting; weather prediction; grasping;
    long-context retrieval; instruction following; tool use; text-to-image generation; audio tagging; music generation;
    depth estimation; pose estimation; click prediction; reading comprehension; language modelling; reranking
    """
_HIGHER = """
    accuracy; F1; precision; recall; BLEU; ROUGE-L; AUROC; exact match; nDCG@10; pass@1; mean average precision; win rate;
    success rate; throughput; sensitivity; specificity; correlation with human ratings; faithfulness; coverage; ROUGE
    """
_LOWER = """
    error rate; latency; perplexity; word error rate; memory use; training time; energy use; loss; false positive rate;
    inference cost; hallucination rate; calibration error; mean squared error; response time; carbon footprint
    """
_SUBSTANCES = """
    metformin; aspirin; vitamin D; ivermectin; remdesivir; dexamethasone; zinc; ibuprofen; curcumin; statins; heparin;
    estrogen; insulin; caffeine; omega-3 fatty acids; green tea; nicotine; alcohol; BRCA2; TP53; interleukin-6; TNF-alpha;
    losartan; fluoxetine; lithium; hydroxychloroquine; azithromycin; tocilizumab; melatonin; magnesium; folic acid;
    red meat; garlic; olive oil; probiotics; ketamine; warfarin; interferon beta; propofol; selenium; PTEN; MYC; KRAS
    """
_CONDITIONS = """
    influenza; asthma; hypertension; type 2 diabetes; COVID-19; breast cancer; depression; Alzheimer's disease; stroke;
    pneumonia; obesity; migraine; arthritis; heart failure; malaria; tuberculosis; sepsis; psoriasis; epilepsy; lupus;
    lung cancer; chronic kidney disease; insomnia; schizophrenia; osteoporosis; anemia; dementia; measles; hepatitis C;
    Parkinson's disease; coronary artery disease; prostate cancer; eczema; gout; anxiety; preeclampsia; melanoma
    """
_GROUPS = """
    children; older adults; women; men; smokers; nurses; students; teachers; athletes; pregnant women; teenagers; patients;
    volunteers; farmers; drivers; office workers; migrants; veterans; infants; twins; novices; experts; annotators;
    programmers; mice; rats; zebrafish; monkeys; honeybees; shift workers; vegetarians; survivors; caregivers; widowers
    """
_PARTS = """
    gating layer; attention block; encoder; decoder; retriever; reranker; reward model; tokenizer; memory module; planner;
    critic; adapter; projection layer; embedding table; cache; router; scheduler; normalization step; verifier; sampler;
    feature extractor; positional encoding; output head; feed-forward layer; index; teacher signal; prompt template; policy;
    value network; replay buffer; compiler; controller; sensor; battery; cooling loop; valve; membrane; catalyst; filter
    """
_PEOPLE = """
    Tanaka; Okafor; Lindqvist; Moreau; Petrov; Haddad; Nguyen; Silva; Kowalski; Rossi; Becker; Novak; Jansen; Murphy; Patel;
    Yilmaz; Castro; Olsen; Dimitrov; Fischer; Ivanova; Kim; Garcia; Schmidt; Costa; Larsen; Mbeki; Duarte; Horvat; Sato
    """


def _list(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in " ".join(text.split()).split(";"))


CHOSEN = {
    "T": _list(_TASKS), "X": _list(_HIGHER), "L": _list(_LOWER), "S": _list(_SUBSTANCES), "K": _list(_CONDITIONS),
    "G": _list(_GROUPS), "C": _list(_PARTS), "E": _list(_PEOPLE),
}  # fmt: skip
_KNOWN_METHODS = _list("BERT; RoBERTa; GPT-4; LLaMA; T5; ResNet; Mamba; LoRA; PPO; DPO; Mistral; Qwen; BM25; CLIP; ViT; LSTM; Adam; SVM; XGBoost; RAG")  # fmt: skip
_KNOWN_SETS = _list("SQuAD; GLUE; MMLU; ImageNet; HotpotQA; GSM8K; HumanEval; COCO; WikiText; LibriSpeech; CIFAR-10; TriviaQA; XSum; BEIR; SciFact")  # fmt: skip
_STARTS = "bra cal dor fen gra hel jor kel lum mar nor ori pel qua ras sel tar ul ven wex yar zan al be cri do el fa gli ho".split()
_ENDS = "via ton dex lis mor net rix sa than vo wen zor ba cet dia fex gon ka lan mi nis ra tus vex yn".split()
_METHOD_TAILS = ("", "", "", "", "Net", "Former", "-7B", "-13B", "-base", "LM", "Flow", " v2", "++", "-S", "-XL")
_SET_TAILS = ("QA", "Bench", "-Eval", "", "-Hard", "-1k", " 2.0", "Sum", "-XL", "Set", "-Test", "-en")


def invented(kind: str, chance: random.Random) -> str:
    """A name of a method (M) or a data set (D), sometimes a known one.

    Raises:
        KeyError: another kind.
    """
    known, tails = {"M": (_KNOWN_METHODS, _METHOD_TAILS), "D": (_KNOWN_SETS, _SET_TAILS)}[kind]
    if chance.random() < 0.25:
        return chance.choice(known)
    stem = chance.choice(_STARTS) + chance.choice(_ENDS)
    form = chance.random()
    if form < 0.25:
        return "".join(chance.choice("ABCDEFGHKLMNPRSTUVWX") for _ in range(chance.randint(3, 5)))
    if form < 0.4:
        return stem[:1].upper() + stem[1:-1] + stem[-1].upper() + chance.choice(tails)
    return stem.capitalize() + chance.choice(tails)
