"""NVIDIA's compiler by its public C interface. It needs neither a GPU nor a driver, only the wheel nvidia-cuda-nvrtc.

It runs in a process of its own, where no other CUDA library is loaded.
"""

import ctypes
import ctypes.util
import importlib.metadata
import json
import subprocess
import sys
from functools import cache


@cache
def paths():
    """Return the files of NVRTC to be loaded, in this order, of a wheel or of the system; none where it is missing."""
    for distribution in importlib.metadata.distributions():
        if (distribution.metadata["Name"] or "").startswith("nvidia-cuda-nvrtc"):
            files = {file.name.partition(".so")[0]: str(file.locate()) for file in distribution.files or []}
            return [files["libnvrtc-builtins"], files["libnvrtc"]]  # it looks for the former by name alone
    return list(filter(None, [ctypes.util.find_library("nvrtc")]))


def compile(source, options):
    """Compile CUDA source; return the compiler's messages and the bytes of the machine code, 0 if it failed."""
    done = subprocess.run(
        [sys.executable, __file__, *options], input=source, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def compile_here(source, options):
    """Do so in this process."""
    *_, nvrtc = [ctypes.CDLL(path) for path in paths()]
    program = ctypes.c_void_p()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None))
    arguments = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    failed = nvrtc.nvrtcCompileProgram(program, len(options), arguments)
    size = ctypes.c_size_t()
    check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
    log = ctypes.create_string_buffer(size.value)
    check(nvrtc.nvrtcGetProgramLog(program, log))
    size.value = 0
    if not failed:
        check(nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)))
    check(nvrtc.nvrtcDestroyProgram(ctypes.byref(program)))
    return log.value.decode(), size.value


def check(code):
    if code:
        raise RuntimeError(f"NVRTC returned {code}")


if __name__ == "__main__":
    print(json.dumps(compile_here(sys.stdin.read(), sys.argv[1:])))
