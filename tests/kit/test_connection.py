"""What the channel's options and settings bring about."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from pydantic import HttpUrl
from pyzeebe.proto import gateway_pb2 as pb

from tests.kit.gateway import Context, ScriptedGateway, serving
from tests.world import eventually
from workers.kit import connection
from workers.kit.connection import open_channel, stub
from workers.kit.settings import EngineSettings


def _settings(**environment: str) -> EngineSettings:
    return EngineSettings.model_validate(environment)
