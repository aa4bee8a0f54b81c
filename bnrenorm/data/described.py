"""What a run folder says of the images that its trials were trained on."""

from pydantic import BaseModel, ConfigDict, Field


class Described(BaseModel):
    """Where images came from, the checksum of the arrays, and what decides how settings are resolved for them."""

    model_config = ConfigDict(frozen=True, strict=True)

    source: str
    checksum: str = Field(pattern="^[0-9a-f]{64}$")
    train: int = Field(ge=1, description="training images")
    test: int = Field(ge=1, description="test images")
    classes: int = Field(ge=1)
    most_frequent: int = Field(default=0, ge=0, description="test images of their most frequent class")
