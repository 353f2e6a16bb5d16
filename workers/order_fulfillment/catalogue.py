"""The catalogue of the orders service, as `saga start` asks it before an order is started."""

from pydantic import BaseModel

from order_fulfillment.model import Order
from saga.clients.addresses import Addresses
from saga.clients.failure import Failure, bad_input
from saga.clients.participant import Participant
from saga.common.problems import field_path
from saga.common.tokens import read_tokens


class _Product(BaseModel):
    sku: str


class _Catalogue(BaseModel):
    products: list[_Product]


async def check_articles(order: Order, addresses: Addresses) -> None:
    """Refuse articles that the catalogue does not have; the process would reject them too, but later.

    Raises:
        Failure: An article is not for sale, or the orders service does not say what is.
    """
    try:
        async with Participant.at(addresses, "orders", read_tokens()) as orders:
            known = sorted(product.sku for product in (await orders.read("read", "/products", _Catalogue)).products)
    except Failure as failure:
        message = f"Nothing was started, for nobody can say what is for sale. {failure}"
        raise Failure(message) from None
    wrong = [
        f"  {field_path(('items', index, 'sku'))}: there is no such article"
        for index, item in enumerate(order.items)
        if item.sku not in known
    ]
    if wrong:
        lines = ["The order names articles that are not for sale. Nothing was started; mend these fields:", *wrong]
        message = "\n".join([*lines, f"For sale: {', '.join(known)}"])
        raise bad_input(message)
