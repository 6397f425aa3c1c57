from django.urls import path
from ninja import NinjaAPI

from apps.accounts.access.api_auth import MemberAuth
from project.urls import urlpatterns as site_urlpatterns

api = NinjaAPI(urls_namespace="accounts-tests", auth=MemberAuth(), docs_url=None)


@api.get("/whoami")
def read_whoami(request):
    return {"email": request.user.email, "auth": request.auth.email}


@api.get("/whoami-async")
async def read_whoami_async(request):
    user = await request.auser()
    return {"email": user.email}


@api.post("/whoami")
def change_whoami(request):
    return {"email": request.user.email}


@api.api_operation(["GET", "POST"], "/open", auth=[MemberAuth(), lambda request: True])
def read_open(request):
    return {}


urlpatterns = [path("test-api/", api.urls), *site_urlpatterns]
