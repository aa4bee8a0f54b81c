"""What a run folder says of the images that its trials were trained on."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Described(BaseModel):
    """Where images came from, the checksum of the arrays, and what decides how settings are resolved for them."""

    model_config = ConfigDict(frozen=True, strict=True)

    source: str
    checksum: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    train: Annotated[int, Field(ge=1)] = Field(description="training images")
    test: Annotated[int, Field(ge=1)] = Field(description="test images")
    classes: Annotated[int, Field(ge=1)]
    most_frequent: Annotated[int, Field(ge=0)] = Field(0, description="test images of their most frequent class")
