"""The config of an ldv1 job."""

from __future__ import annotations

from typing import Literal

from attrs import frozen, validators

from bec_core import between, option


@frozen(kw_only=True)
class Ldv1Config:
    """What a job may say of line detection; the model's path is not the job's but the machine's."""

    use_gpu: bool = option(
        True, "Use the GPU. Without one the CPU does the work, and the log says so.", results=False
    )
    require_gpu: bool = option(False, "Refuse to start without a GPU.", results=False)
    precision: Literal["auto", "fp32", "fp16", "bf16"] = option(
        "auto",
        "The network's arithmetic. auto: what the job's workers calculate in already; of the first, half (fp16) on a "
        "GPU, on a CPU float32 or, for the model in the box on hardware that has it, bfloat16. "
        "fp16 is for GPUs: on a CPU it means auto.",
        allowed="auto, fp32, fp16 or bf16",
        results=False,  # what is really used is among the ingredients
    )
    runtime: Literal["auto", "torch", "openvino"] = option(
        "auto",
        "What runs the network on a CPU. auto: in float32, where OpenVINO is installed, what is faster in a few passes "
        "at the start; else torch. openvino wants float32. On a GPU it is always torch.",
        allowed="auto, torch or openvino",
        results=False,  # in one arithmetic they differ by rounding
    )
    processes: int | None = option(
        None,
        "On a CPU: how many processes work on pages, one page at a time each. null: as many as cores where these are "
        "more than 8, as far as memory allows; else, and with 0, threads of the worker's own process. --threads "
        "bounds either.",
        validator=validators.optional(validators.and_(validators.ge(0), validators.le(256))),
        allowed="0 to 256, or null",
        results=False,
    )
    batch_size: int = option(
        16,
        "Pages in flight where threads work on them: how many are read, decoded and detected at once.",
        results=False,
        **between(1, 256),
    )
    max_tiles_per_batch: int = option(
        80,
        "Tiles (512 × 512) that go through the network at once, of all pages in flight.",
        results=False,
        **between(1, 1024),
    )
    compile_model: bool = option(
        False, "Compile the network with torch.compile; slower start, faster batches.", results=False
    )
